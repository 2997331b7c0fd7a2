// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// meter computes a rate and the time left from counts of finished work.
type meter struct {
	unit        string // The unit of the count, as in "12.3 steps/s"; empty for plain "/s".
	done, total int
	now         time.Time // The time of the latest count.

	// The first count and its time. The rate is measured from there, so that it includes neither
	// the compilation before the first step nor the steps of the earlier run that this one
	// continues.
	first int
	since time.Time
}

func (m *meter) set(done, total int, now time.Time) {
	if m.since.IsZero() {
		m.first, m.since = done, now
	}
	m.done, m.total, m.now = done, total, now
}

// fraction returns the finished part of the work, from 0 to 1.
func (m *meter) fraction() float64 {
	if m.total <= 0 {
		return 0
	}
	return min(max(float64(m.done)/float64(m.total), 0), 1)
}

// String returns a line such as "120/1000, 12.3 steps/s, 1m12s left". The rate and the time need
// two counts.
func (m *meter) String() string {
	parts := []string{fmt.Sprintf("%d/%d", m.done, m.total)}
	if m.total <= 0 {
		parts[0] = fmt.Sprint(m.done)
	}
	elapsed := m.now.Sub(m.since).Seconds()
	if n := m.done - m.first; n > 0 && elapsed > 0 {
		rate := float64(n) / elapsed
		parts = append(parts, strings.TrimSpace(significant(rate)+" "+m.unit)+"/s")
		if left := m.total - m.done; left > 0 {
			parts = append(parts, clock(time.Duration(float64(left)/rate*float64(time.Second)))+" left")
		}
	}
	return strings.Join(parts, ", ")
}

// significant formats a value with three digits, or more where that avoids an exponent.
func significant(v float64) string {
	if v >= 1000 && v < 1e9 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// clock formats a duration to the second, or below 10 seconds to a tenth. A duration beyond 146
// years is "long".
func clock(d time.Duration) string {
	switch {
	case d < 0 || d > math.MaxInt64/2:
		return "long"
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
