// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
)

// Mix moves the model towards another one of the same network: each weight w that Sample uses becomes
//
//	(1 - share) w + share w_other,   0 <= share <= 1
//
// (deep network interpolation, Wang et al. 2019). It is of use where one of the two was trained from the
// other, such as a model for damaged pictures from one for clean pictures: then the models between are
// good too. It returns an error for a share out of range and for a model of other weights, and then
// changes nothing.
func (m *Model) Mix(other *Model, share float64) error {
	if !(share >= 0 && share <= 1) {
		return fmt.Errorf("share is %g: want a number from 0 to 1", share)
	}
	if len(m.weights) != len(other.weights) {
		return errors.New("the models differ in their networks: want two of one network, of which one was trained from the other")
	}
	for i, w := range m.weights {
		if o := other.weights[i]; o.Name != w.Name || !o.TorchShape().Equal(w.TorchShape()) {
			return fmt.Errorf("weight %s is %s, and in the other model %s is %s: want two models of one network", w.Name, w.TorchShape(),
				o.Name, o.TorchShape())
		}
	}
	for i, w := range m.weights {
		if err := m.mixWeight(i, other, float32(share)); err != nil {
			return fmt.Errorf("weight %s: %w", w.Name, err)
		}
	}
	return nil
}

// mixWeight is Mix for weight number i.
func (m *Model) mixWeight(i int, other *Model, share float32) error {
	to := m.variable(m.weights[i], m.inUse())
	own, err := to.Value()
	if err != nil {
		return err
	}
	theirs, err := other.variable(other.weights[i], other.inUse()).Value()
	if err != nil {
		return err
	}
	a, err := tensors.CopyFlatData[float32](own)
	if err != nil {
		return err
	}
	b, err := tensors.CopyFlatData[float32](theirs)
	if err != nil {
		return err
	}
	for k := range a {
		a[k] = (1-share)*a[k] + share*b[k]
	}
	return to.SetValue(tensors.FromFlatDataAndDimensions(a, own.Shape().Dimensions...))
}
