// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"html"
	"strconv"
)

// Control is a [Slider] or a [Button] that the reader of a notebook operates. See [Interact].
type Control interface {
	html() string     // Returns a disabled HTML element with the control's value.
	set(value string) // Sets the value that the browser sent, unless it is invalid.
}

const (
	ownKeys     = `data-lm-suppress-shortcuts="true"` // JupyterLab then ignores the arrow keys.
	buttonStyle = "padding:4px 12px;margin:4px 0px"
)

// Slider is a number that the reader sets by dragging or with the arrow keys. See [Interact].
type Slider struct {
	name                  string
	min, max, step, value float64
}

// NewSlider makes a slider from min to max with an initial value. It moves by multiples of step
// from min; the browser rounds an initial value that is none of them. Unless min < max, step > 0
// and min <= value <= max, NewSlider ends the cell as [Check] does.
func NewSlider(name string, min, max, step, value float64) *Slider {
	if !(min < max && step > 0 && min <= value && value <= max) || !finite(max-min) {
		Check(fmt.Errorf("slider %q: from %v to %v by %v at %v: want min < max, a step above 0 and a value between",
			name, min, max, step, value))
	}
	return &Slider{name: name, min: min, max: max, step: step, value: value}
}

// Value returns the slider's value. It changes between redraws only.
func (s *Slider) Value() float64 { return s.value }

func (s *Slider) html() string {
	return fmt.Sprintf(`<div><label><span style="display:inline-block;min-width:100px">%s</span>`+
		`<input type="range" min="%s" max="%s" step="%s" value="%s" disabled `+ownKeys+
		` style="width:400px;vertical-align:middle"></label> <output>%[5]s</output></div>`,
		html.EscapeString(s.name), decimal(s.min), decimal(s.max), decimal(s.step), decimal(s.value))
}

func (s *Slider) set(value string) {
	if v, err := strconv.ParseFloat(value, 64); err == nil && s.min <= v && v <= s.max {
		s.value = v
	}
}

// Button counts how often the reader pressed it. The count may be a seed for new noise, or choose
// among several pictures. See [Interact].
type Button struct {
	label   string
	presses int
}

// NewButton makes a button with a count of 0.
func NewButton(label string) *Button { return &Button{label: label} }

// Presses returns how often the button was pressed. It changes between redraws only.
func (b *Button) Presses() int { return b.presses }

func (b *Button) html() string {
	return fmt.Sprintf(`<button type="button" value="%d" disabled `+ownKeys+` style="%s">%s</button> `,
		b.presses, buttonStyle, html.EscapeString(b.label))
}

func (b *Button) set(value string) {
	if n, err := strconv.Atoi(value); err == nil && n >= b.presses {
		b.presses = n
	}
}

// decimal formats a number without an exponent, with as many digits as are needed to read the same
// number again.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
