// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// Damage is what a low-resolution picture suffered before it is enlarged, the same for every picture
// of a measurement. The zero value is none.
type Damage struct {
	Kind   DamageKind
	Amount float64 // of Kind
}

// DamageKind is a kind of damage.
type DamageKind string

// The kinds, with what their amount is.
const (
	DamageJPEG  DamageKind = "jpeg"  // the quality, a whole number from 1 to 100; see JPEG
	DamageBlur  DamageKind = "blur"  // the standard deviation of a Gaussian in pixels, up to 8
	DamageNoise DamageKind = "noise" // the standard deviation of Gaussian noise in levels of 255, up to 255
)

// ParseDamage reads a kind and an amount, such as "jpeg:75", "blur:1" or "noise:5".
func ParseDamage(text string) (Damage, error) {
	kind, number, _ := strings.Cut(text, ":")
	amount, err := strconv.ParseFloat(number, 64)
	d := Damage{DamageKind(kind), amount}
	if err != nil || !d.valid() {
		return Damage{}, errors.New("want jpeg: and a quality from 1 to 100, blur: and pixels up to 8, " +
			"or noise: and levels up to 255, such as jpeg:75, blur:1 or noise:5")
	}
	return d, nil
}

func (d Damage) valid() bool {
	switch d.Kind {
	case DamageJPEG:
		return d.Amount >= 1 && d.Amount <= 100 && d.Amount == float64(int(d.Amount))
	case DamageBlur:
		return d.Amount > 0 && d.Amount <= 8
	case DamageNoise:
		return d.Amount > 0 && d.Amount <= 255
	}
	return false
}

// String returns the text that ParseDamage reads; "" for none.
func (d Damage) String() string {
	if d == (Damage{}) {
		return ""
	}
	return fmt.Sprintf("%s:%g", d.Kind, d.Amount)
}

// Apply returns a picture with the damage, in 8 bits. Noise follows from the number of the picture.
func (d Damage) Apply(p imaging.Picture, n int) imaging.Picture {
	switch d.Kind {
	case DamageJPEG:
		return JPEG(p, int(d.Amount))
	case DamageBlur:
		p = imaging.Blur(p, d.Amount, d.Amount, 0)
	case DamageNoise:
		p = Noisy(p, d.Amount/127.5, 0, n)
	}
	return imaging.FromImage(p.Image())
}
