// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Average pairs a weight with its exponential moving average, by their paths in a store.
type Average struct{ Weight, Average string }

// updateAverages moves the averages towards the new weights:
//
//	average = d average + (1 - d) weight,   d = min(EMA, (1 + n) / (10 + n)) after n updates
//
// A constant d would keep the first weights, which are of no use, for 1 / (1 - EMA) steps. The
// smaller d at first removes that bias: after n updates their share is below 9! / n^9.
func updateAverages(store *model.Store, averages []Average, ema float64, updates *Node) {
	if len(averages) == 0 {
		return
	}
	d := MinScalar(Div(AddScalar(updates, 1), AddScalar(updates, 10)), ema)
	for _, pair := range averages {
		average, weight := store.GetVariable(pair.Average), store.GetVariable(pair.Weight)
		old, current := average.NodeValue(updates), weight.NodeValue(updates)
		average.SetNodeValue(Add(current, Mul(d, Sub(old, current))))
	}
}

// CopyVariable makes a variable with the value of another one, of any store.
func CopyVariable(store *model.Store, path string, from *model.Variable, trainable bool) error {
	value, err := from.Value()
	if err != nil {
		return err
	}
	if value, err = value.LocalClone(); err != nil {
		return err
	}
	made, err := store.CreateVariable(path, value)
	if err != nil {
		return err
	}
	made.SetTrainable(trainable)
	return nil
}
