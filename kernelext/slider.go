// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"html"
	"strconv"
)

// Control is something that a reader of the notebook works with: a [Slider] or a [Button]. See [Interact].
type Control interface {
	html() string     // An HTML element, disabled, whose value is the control's.
	set(value string) // Takes what the browser says; what cannot be is ignored.
}

const (
	ownKeys     = `data-lm-suppress-shortcuts="true"` // Keeps JupyterLab from taking the arrow keys.
	buttonStyle = "padding:4px 12px;margin:4px 0px"
)

// Slider is a number that is set by dragging, or with the arrow keys. See [Interact].
type Slider struct {
	name                  string
	min, max, step, value float64
}

// NewSlider makes a slider from min to max that stands at value and moves in steps. Unless min <= value <= max,
// min < max and step > 0, it ends the cell as [Check] does.
func NewSlider(name string, min, max, step, value float64) *Slider {
	if !(min < max && step > 0 && min <= value && value <= max) || !finite(max-min) {
		Check(fmt.Errorf("slider %q: from %v to %v by %v at %v: want min < max, a step above 0 and a value between",
			name, min, max, step, value))
	}
	return &Slider{name: name, min: min, max: max, step: step, value: value}
}

// Value is where the slider stands. It changes before a redraw, and not during one.
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

// Button counts how often it was pressed: a seed for new noise, or a choice among several. See [Interact].
type Button struct {
	label   string
	presses int
}

// NewButton makes a button that has not been pressed yet.
func NewButton(label string) *Button { return &Button{label: label} }

// Presses is how often the button was pressed. It changes before a redraw, and not during one.
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

// decimal writes a number as HTML reads it: without an exponent, with as many digits as it takes.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
