// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade_test

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"math/rand/v2"

	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// A quarter of a picture by the tutorial's degradation.
func ExampleConfig_Picture() {
	low := degrade.Config{}.Picture(imaging.New(64, 48), 4)
	fmt.Println(low.Width, low.Height)
	// Output: 16 12
}

// compressed makes pictures smaller and compresses them as JPEG files of a quality between 30 and
// 90.
type compressed struct{ shrink degrade.Config }

func (c compressed) Apply(rng *rand.Rand, p imaging.Picture, factor int) (low imaging.Picture, level float64) {
	var file bytes.Buffer
	quality := 30 + rng.IntN(61)
	if err := jpeg.Encode(&file, c.shrink.Picture(p, factor).Image(), &jpeg.Options{Quality: quality}); err != nil {
		panic(err) // pictures of 65536 pixels a side, and nothing else, are refused
	}
	img, err := jpeg.Decode(&file)
	if err != nil {
		panic(err) // it was just written
	}
	return imaging.FromImage(img), 0
}

func init() {
	degrade.Register("jpeg", func(c degrade.Config) (degrade.Degradation, error) {
		return compressed{degrade.Config{Kernel: c.Kernel}}, nil
	})
}

// A degradation of one's own is registered by
//
//	degrade.Register("jpeg", func(c degrade.Config) (degrade.Degradation, error) {
//		return compressed{degrade.Config{Kernel: c.Kernel}}, nil
//	})
//
// and srdiff.Config{Degradation: degrade.Config{Name: "jpeg"}} trains with it.
func ExampleRegister() {
	d, err := degrade.New(degrade.Config{Name: "jpeg", Kernel: degrade.Area})
	if err != nil {
		fmt.Println(err)
		return
	}
	low, level := d.Apply(rand.New(rand.NewPCG(1, 2)), imaging.New(32, 32), 4)
	fmt.Printf("%dx%d, noise of %g\n", low.Width, low.Height, level)
	// Output: 8x8, noise of 0
}
