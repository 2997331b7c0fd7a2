// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	"fmt"
	"math"
)

// Divergence is the rule that ends a run: a loss that is not finite, or has exploded, which is 1000
// times the smallest running mean so far, and above 100. Networks predict values of unit size, so
// an untrained network has a loss of about 1, and a healthy run stays far below this limit.
type Divergence struct {
	mean, least float64 // the running mean over about 20 steps, and its smallest value
	steps       int
}

// Check takes the loss of the next step. It returns what is wrong with the run, or "".
func (d *Divergence) Check(loss float64) (problem string) {
	switch {
	case math.IsNaN(loss) || math.IsInf(loss, 0):
		return fmt.Sprintf("the loss is %g", loss)
	case d.steps > 0 && loss > 100 && loss > 1000*d.least, d.steps == 0 && loss > 1e5:
		return fmt.Sprintf("the loss has exploded to %.3g", loss)
	}
	if d.steps++; d.steps == 1 {
		d.mean, d.least = loss, loss
	}
	d.mean += (loss - d.mean) / 20
	d.least = min(d.least, d.mean)
	return ""
}
