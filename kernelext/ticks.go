// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// The limits of what an axis can show: float64 must hold its length, and the labels of its ticks
// must differ in the first ten digits.
const (
	largestValue  = 1e300
	leastLength   = 1e-290
	leastRelative = 1e-9 // Of the length of an axis to its ends.
)

// shortestAxis is the least length of a linear axis with values from low to high.
func shortestAxis(low, high float64) float64 {
	return max(leastRelative*max(math.Abs(low), math.Abs(high)), leastLength)
}

// linearEnds returns the ends of a linear axis for values from low to high. The margin is a share
// of their distance, alone the room on each side of values that are all equal.
func linearEnds(low, high, margin, alone float64) (float64, float64) {
	room := margin * (high - low)
	if low == high {
		room = alone
	}
	if least := shortestAxis(low, high); high-low+2*room < least {
		room = least
	}
	return low - room, high + room
}

// logEnds returns the ends of a logarithmic axis for values from low to high, both above 0.
func logEnds(low, high float64) (float64, float64) {
	if high < 1/largestValue { // Values of few bits: linear ticks could not tell them apart.
		high = max(high, 100*low)
	}
	margin := math.Pow(10, max(0.04*(log10(high)-log10(low)), 0.01))
	return max(low/margin, math.SmallestNonzeroFloat64), min(high*margin, math.MaxFloat64)
}

// log10 is the logarithm of all positive numbers.
// Workaround: Go 1.26, math.Log and math.Log10 are wrong on amd64 for numbers below 2.2e-308;
// math.Log2 is right.
func log10(v float64) float64 { return math.Log2(v) / math.Log2(10) }

// logScale is [plot.LogScale] with the logarithm above.
type logScale struct{}

// Normalize implements [plot.Normalizer] for numbers above 0.
func (logScale) Normalize(low, high, x float64) float64 {
	return (log10(x) - log10(low)) / (log10(high) - log10(low))
}

// linearTicks places ticks where [plot.DefaultTicks] does. It writes the labels itself, as those of
// DefaultTicks have at most 6 digits: on an axis from 1000.001 to 1000.002 it labels all ticks
// 1000, and it labels a tick at 0.9999904 with 0.99999.
type linearTicks struct{}

// Ticks implements [plot.Ticker].
func (linearTicks) Ticks(low, high float64) []plot.Tick {
	// DefaultTicks places round numbers only on axes that are longer than 2e-14.
	scale := min(math.Pow10(-int(math.Floor(math.Log10(high-low)))), 1e308)
	var ticks []plot.Tick
	var labelled []int
	for _, t := range (plot.DefaultTicks{}).Ticks(low*scale, high*scale) {
		// A rounding error of the scaling may move the first and the last tick beyond the ends.
		t.Value = min(max(t.Value/scale, low), high)
		if !t.IsMinor() {
			labelled = append(labelled, len(ticks))
		}
		ticks = append(ticks, t)
	}
	values := make([]float64, len(labelled))
	for i, n := range labelled {
		values[i] = ticks[n].Value
	}
	for i, label := range labels(values) {
		ticks[labelled[i]].Label = label
	}
	return ticks
}

// labels writes equally spaced values, without an exponent unless that makes them much shorter.
func labels(values []float64) []string {
	plain, short := sameDigits(values, 'f'), sameDigits(values, 'e')
	if longest(plain) <= max(longest(short), 7) {
		return plain
	}
	return short
}

// sameDigits writes equally spaced values with one number of decimals: as many as it takes to be
// exact to a millionth of the space between them.
func sameDigits(values []float64, format byte) []string {
	if len(values) == 0 {
		return nil
	}
	tolerance := 1e-6 * math.Abs(values[0])
	if len(values) > 1 {
		tolerance = 1e-6 * (values[1] - values[0])
	}
	list := make([]string, len(values))
	for decimals, exact := 0, false; !exact; decimals++ {
		exact = true
		for i, v := range values {
			if math.Abs(v) < tolerance {
				v = 0
			}
			list[i] = strconv.FormatFloat(v, format, decimals, 64)
			written, err := strconv.ParseFloat(list[i], 64)
			exact = exact && err == nil && math.Abs(written-v) <= tolerance
			if v == 0 && format == 'e' {
				list[i] = "0"
			}
		}
	}
	return list
}

func longest(list []string) (length int) {
	for _, s := range list {
		length = max(length, len(s))
	}
	return length
}

// logTicks labels 1, 2 and 5 times every power of ten, on a long axis only some powers, and on an
// axis shorter than a power what a linear axis would label. [plot.LogTicks] is not right here:
// below 1 it starts a power too late, it labels all of 300 powers over one another, it labels
// nothing on an axis from 2 to 7, and it multiplies by ten so often that the values are inexact.
type logTicks struct{}

// Ticks implements [plot.Ticker] for 0 < low < high.
func (logTicks) Ticks(low, high float64) []plot.Tick {
	first, last := log10(low), log10(high)
	powers := last - first
	if powers < 1 {
		return linearTicks{}.Ticks(low, high)
	}
	every := int(math.Ceil(powers / 8)) // At most nine labels on an axis of many powers.
	digits, step := 9, 1
	if powers > 16 { // More ticks would run together.
		digits = 1
	}
	if powers > 64 {
		step = every
	}
	var ticks []plot.Tick
	for power := (int(first)/step - 1) * step; power <= int(last)+1; power += step {
		for digit := 1; digit <= digits; digit++ {
			value, err := strconv.ParseFloat(fmt.Sprintf("%de%d", digit, power), 64)
			if err != nil || value < low || value > high {
				continue
			}
			t := plot.Tick{Value: value}
			if digit == 1 && power%every == 0 || powers < 2.5 && (digit == 2 || digit == 5) {
				t.Label = strconv.FormatFloat(value, 'g', -1, 64)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}
