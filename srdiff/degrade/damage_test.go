// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade

import (
	"math"
	"slices"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

func TestParseDamage(t *testing.T) {
	for _, text := range []string{"jpeg:1", "jpeg:100", "blur:0.5", "noise:5"} {
		d, err := ParseDamage(text)
		if err != nil || d.String() != text {
			t.Errorf("%q is %q, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "jpeg", "jpeg:", "jpeg:0", "jpeg:101", "jpeg:60.5", "blur:0", "blur:-1", "blur:9", "blur:NaN",
		"noise:0", "noise:256", "noise:Inf", "fog:1", "jpeg:60:1"} {
		if d, err := ParseDamage(text); err == nil {
			t.Errorf("%q is %q, want an error", text, d)
		}
	}
}

// Damage has the amount that it names, and all values are levels of 8 bits.
func TestDamage(t *testing.T) {
	p := even(64, 64, 0)
	noisy := Damage{DamageNoise, 5}.Apply(p, 3)
	var values []float64
	for _, v := range noisy.Pix {
		values = append(values, float64(v)*127.5)
	}
	// Rounding to whole levels adds a variance of 1/12.
	if mean, std := graphtest.Spread(values); !(math.Abs(mean) <= 0.2 && math.Abs(std-math.Sqrt(25+1./12)) <= 0.13) {
		t.Errorf("noise of 5 levels has mean %.2f and std %.2f", mean, std)
	}
	if again, other := (Damage{DamageNoise, 5}).Apply(p, 3), (Damage{DamageNoise, 5}).Apply(p, 4); !slices.Equal(noisy.Pix, again.Pix) ||
		slices.Equal(noisy.Pix, other.Pix) {
		t.Error("the noise does not follow from the number of the picture")
	}
	q := scene(48, 32)
	for d, want := range map[Damage]imaging.Picture{
		{}:               q,
		{DamageJPEG, 60}: JPEG(q, 60),
		{DamageBlur, 1}:  imaging.Blur(q, 1, 1, 0),
	} {
		if got := d.Apply(q, 0); !slices.Equal(got.Pix, imaging.FromImage(want.Image()).Pix) {
			t.Errorf("%q is another picture", d)
		}
	}
}
