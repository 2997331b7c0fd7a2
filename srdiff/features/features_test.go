// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package features

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
)

func classifier(t *testing.T) *Classifier {
	t.Helper()
	eng, err := engine.Open("auto")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(eng.Backend)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// generated returns held-out pictures of a seed that the classifier was not trained with.
func generated(t *testing.T, n, size int) []imaging.Picture {
	t.Helper()
	src, err := dataset.Open(context.Background(), "generated", dataset.Options{Seed: 11, Size: size, HeldOut: true})
	if err != nil {
		t.Fatal(err)
	}
	x, err := dataset.Batch(src, n, 0)
	if err != nil {
		t.Fatal(err)
	}
	pictures, err := srdiff.Pictures(x)
	if err != nil {
		t.Fatal(err)
	}
	return pictures
}

// The weights in the program are those of a trained classifier, and of a size that a repository can
// carry.
func TestClassifierKnowsDamage(t *testing.T) {
	if len(weights) > 300_000 {
		t.Errorf("the weights are %d bytes: want at most 300,000", len(weights))
	}
	pictures := generated(t, 256, 32)
	classes := make([]int, len(pictures))
	for i, p := range pictures {
		rng := rand.New(rand.NewPCG(5, uint64(i)))
		classes[i] = rng.IntN(len(Classes))
		pictures[i] = Damage(classes[i], rng, p)
	}
	guesses, err := classifier(t).Classify(pictures...)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, guess := range guesses {
		if guess == classes[i] {
			right++
		}
	}
	if share := float64(right) / float64(len(pictures)); share < 0.68 {
		t.Errorf("right about %.1f %% of pictures, want about 74", 100*share)
	}
}

// What was harmed more is farther away, and pictures of the same kind are nearer than any that were
// harmed to be seen: the check that Heusel et al. 2017 made of theirs.
func TestDistanceGrowsWithDamage(t *testing.T) {
	c := classifier(t)
	all := generated(t, 256, 32)
	features := func(harm func(imaging.Picture) imaging.Picture, pictures []imaging.Picture) [][]float64 {
		var harmed []imaging.Picture
		for _, p := range pictures {
			harmed = append(harmed, harm(p))
		}
		rows, err := c.Features(harmed...)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	same := func(p imaging.Picture) imaging.Picture { return p }
	originals := features(same, all[:128])
	others, err := Distance(originals, features(same, all[128:]))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for name, harm := range map[string]func(imaging.Picture, float64) imaging.Picture{
		"blur": func(p imaging.Picture, s float64) imaging.Picture { return blur(p, 1.2*s) },
		"noise": func(p imaging.Picture, s float64) imaging.Picture {
			return add(p, 0.12*s, noise(rng, p.Width, p.Height))
		},
		"sharpening": func(p imaging.Picture, s float64) imaging.Picture {
			return add(add(p, 2*s, p), -2*s, blur(p, 1))
		},
	} {
		before := others
		for _, strength := range []float64{1, 2} {
			d, err := Distance(originals, features(func(p imaging.Picture) imaging.Picture { return harm(p, strength) }, all[:128]))
			if err != nil || !(d > before) {
				t.Errorf("%s %g: distance %.2f, want more than %.2f (%v)", name, strength, d, before, err)
			}
			t.Logf("%s %g: %.2f, other pictures: %.2f", name, strength, d, others)
			before = d
		}
	}
}

func TestFeaturesOfAnySize(t *testing.T) {
	c := classifier(t)
	for _, size := range []int{8, 20, 64} {
		rows, err := c.Features(generated(t, 2, size)...)
		if err != nil || len(rows) != 2 || len(rows[1]) != Dimensions || slices.Equal(rows[0], rows[1]) {
			t.Errorf("%d pixels: %d rows, want 2 different ones of %d features (%v)", size, len(rows), Dimensions, err)
		}
	}
	broken := imaging.New(8, 8)
	broken.Pix[7] = float32(math.NaN())
	rows, err := c.Features(broken)
	if err != nil || slices.ContainsFunc(rows[0], func(v float64) bool { return math.IsNaN(v) }) {
		t.Errorf("NaN is black in a file; features are %v (%v)", rows, err)
	}
	for _, test := range []struct {
		pictures []imaging.Picture
		want     string
	}{
		{[]imaging.Picture{imaging.New(32, 7)}, "32x7 is too small for features: want at least 8"},
		{[]imaging.Picture{imaging.New(8, 8), imaging.New(9, 8)}, "want one size"},
		{nil, "no pictures"},
	} {
		if _, err := c.Features(test.pictures...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}

func TestDamage(t *testing.T) {
	p := generated(t, 1, 32)[0]
	before := slices.Clone(p.Pix)
	for class, name := range Classes {
		harmed := Damage(class, rand.New(rand.NewPCG(1, 2)), p)
		again := Damage(class, rand.New(rand.NewPCG(1, 2)), p)
		if !slices.Equal(p.Pix, before) {
			t.Fatalf("%s changed the picture that it was given", name)
		}
		if harmed.Width != 32 || harmed.Height != 32 || !slices.Equal(harmed.Pix, again.Pix) {
			t.Errorf("%s: %dx%d, want 32x32 and the same by the same seed", name, harmed.Width, harmed.Height)
		}
		if equal := slices.Equal(harmed.Pix, p.Pix); equal != (name == "original") {
			t.Errorf("%s is the picture itself: %v", name, equal)
		}
	}
	// Every 2x2 pixels of a blocky picture are equal, and so are 4x4 of one whose factor is 4.
	blocky := Damage(slices.Index(Classes, "blocky"), rand.New(rand.NewPCG(3, 4)), p)
	for i, v := range blocky.Pix {
		if x, y, c := i/3%32, i/3/32, i%3; v != blocky.Pix[(y/2*2*32+x/2*2)*3+c] {
			t.Fatalf("pixel %d, %d is not that of its block", x, y)
		}
	}
}
