// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"
	gomlxdata "github.com/gomlx/gomlx/ml/dataset"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/srdiff/srlab/srdiff/dataset"
)

// Devices describes the batches of a run and the devices that share each of them.
type Devices struct {
	Backend    compute.Backend
	Count      int // of devices; 0 is 1
	BatchSize  int // pictures a batch, over all devices
	Accumulate int // steps whose mean gradient changes the weights once
}

// Check returns an error if the engine has fewer devices, or if a batch cannot be divided among
// them.
func (d Devices) Check() error {
	switch n, have := d.Count, d.Backend.NumDevices(); {
	case n < 0 || n > have:
		return fmt.Errorf("training on %d devices: the engine %s has %d", n, d.Backend.Name(), have)
	case n > 1 && d.BatchSize%n != 0:
		return fmt.Errorf("batches of %d pictures on %d devices: want a multiple", d.BatchSize, n)
	case n > 1 && d.Accumulate > 1:
		return fmt.Errorf("accumulating gradients on %d devices is not possible: they hold larger batches instead", n)
	}
	return nil
}

// Batches returns the batches of src from the given step on. Several devices share each batch, and
// each device holds all weights, which are in the store. XLA splits the program and sums the
// gradients of the devices. Timesteps and noise are drawn for the whole batch, so they do not
// depend on the number of devices.
func (d Devices) Batches(store *model.Store, src dataset.Source, step int) (train.Dataset, error) {
	if d.Count <= 1 {
		return marking{dataset.Batches(src, d.BatchSize, int64(step))}, nil
	}
	mesh, err := distributed.NewDeviceMesh([]int{d.Count}, []string{"batch"})
	if err != nil {
		return nil, err
	}
	// A program of this kind has the store hold the weights and the random state on every device.
	all, err := model.NewExec(d.Backend, store, func(_ *model.Scope, in []*Node) []*Node { return in })
	if err != nil {
		return nil, err
	}
	all.AutoSharding(mesh)
	split, err := distributed.BuildSpec(mesh).S("batch").Done()
	if err != nil {
		return nil, err
	}
	parts := marking{dataset.Batches(src, d.BatchSize/d.Count, int64(step)*int64(d.Count))}
	specs := []*distributed.ShardingSpec{split}
	return gomlxdata.NewDistributedAccumulator(d.Backend, parts, distributed.AutoSharding, specs, specs, nil)
}
