// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import "time"

// Clock measures a run's speed.
type Clock struct {
	first         int // the step at which the run began
	started, last time.Time
	perStep       float64 // seconds, averaged over the last steps
}

// NewClock starts the clock of a run that begins after the given step.
func NewClock(step int) *Clock {
	now := time.Now()
	return &Clock{first: step, started: now, last: now}
}

// Step takes the time of the step just done. It returns the seconds a step, averaged over the last
// steps, and the time since the run began.
func (c *Clock) Step(step int) (perStep float64, elapsed time.Duration) {
	now := time.Now()
	seconds := now.Sub(c.last).Seconds()
	c.last = now
	if step-c.first <= 2 { // the first step compiles the program
		c.perStep = seconds
	} else {
		c.perStep += 0.1 * (seconds - c.perStep)
	}
	return c.perStep, now.Sub(c.started)
}

// Continue goes on after a pause that no step is charged for.
func (c *Clock) Continue() { c.last = time.Now() }
