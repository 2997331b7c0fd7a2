// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"

	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"
	gomlxdata "github.com/gomlx/gomlx/ml/dataset"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/srdiff/srlab/srdiff/dataset"
)

// checkDevices returns an error unless the model can be trained on Model.Devices.
func (m *Model) checkDevices() error {
	switch n, have := m.Devices, m.backend.NumDevices(); {
	case n < 0 || n > have:
		return fmt.Errorf("training on %d devices: the engine %s has %d", n, m.backend.Name(), have)
	case n > 1 && m.Config.BatchSize%n != 0:
		return fmt.Errorf("batches of %d pictures on %d devices: want a multiple", m.Config.BatchSize, n)
	case n > 1 && m.Config.Accumulate > 1:
		return fmt.Errorf("accumulating gradients on %d devices is not possible: they hold larger batches instead", n)
	}
	return nil
}

// batches are what Train trains on, from the model's step on. On several devices each has its part of every batch, and all have all
// weights; XLA splits the program, and adds the gradients up between the devices. Timesteps and noise are drawn for the batch as a
// whole, so that they do not depend on how many devices there are.
func (m *Model) batches(src dataset.Source) (train.Dataset, error) {
	if m.Devices <= 1 {
		return dataset.Batches(src, m.Config.BatchSize, int64(m.Step)), nil
	}
	mesh, err := distributed.NewDeviceMesh([]int{m.Devices}, []string{"batch"})
	if err != nil {
		return nil, err
	}
	// A program of this kind has the store hold the weights, and the random state that Train puts there, on every device.
	all, err := model.NewExec(m.backend, m.store, func(_ *model.Scope, in []*Node) []*Node { return in })
	if err != nil {
		return nil, err
	}
	all.AutoSharding(mesh)
	split, err := distributed.BuildSpec(mesh).S("batch").Done()
	if err != nil {
		return nil, err
	}
	parts := dataset.Batches(src, m.Config.BatchSize/m.Devices, int64(m.Step)*int64(m.Devices))
	specs := []*distributed.ShardingSpec{split}
	return gomlxdata.NewDistributedAccumulator(m.backend, parts, distributed.AutoSharding, specs, specs, nil)
}
