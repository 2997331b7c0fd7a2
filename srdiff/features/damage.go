// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package features

import (
	"bytes"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// Classes names the classes of the classifier: an undamaged picture and the kinds of damage that
// Damage applies. Classifying damage trains features of image quality without human labels (Ma et
// al. 2018; Madhusudana et al. 2022).
var Classes = []string{"original", "blurred", "enlarged", "blocky", "noisy", "blotchy", "compressed", "sharpened"}

// Damage applies the damage of a class to a picture whose sides are multiples of 4. rng draws the
// strength. Deviations are on the scale -1..1:
//
//	original    not at all
//	blurred     a Gaussian blur of 0.5 to 2 pixels
//	enlarged    shrunk to a half or a quarter by any of imaging.Shrinking's filters, and enlarged by
//	            bilinear or bicubic interpolation
//	blocky      shrunk likewise, and enlarged by repeating every pixel
//	noisy       white Gaussian noise with a deviation of 0.04 to 0.4
//	blotchy     such noise of a half or a quarter of the size, enlarged by bicubic interpolation
//	compressed  JPEG at a quality of 5 to 50
//	sharpened   unsharp masking with a blur of one pixel and a weight of 1 to 4
func Damage(class int, rng *rand.Rand, p imaging.Picture) imaging.Picture {
	width, height := p.Width, p.Height
	factor := 2 << rng.IntN(2)
	deviation := 0.04 * math.Pow(10, rng.Float64())
	switch Classes[class] {
	case "blurred":
		return blur(p, 0.5+1.5*rng.Float64())
	case "enlarged":
		small := downsample(rng, p, factor)
		if rng.IntN(2) == 0 {
			return imaging.Bilinear(small, width, height)
		}
		return imaging.Bicubic(small, width, height)
	case "blocky":
		small, out := downsample(rng, p, factor), imaging.New(width, height)
		for i := range out.Pix {
			x, y, c := i/3%width, i/3/width, i%3
			out.Pix[i] = small.Pix[(y/factor*small.Width+x/factor)*3+c]
		}
		return out
	case "noisy":
		return add(p, deviation, noise(rng, width, height))
	case "blotchy":
		return add(p, deviation, imaging.Bicubic(noise(rng, width/factor, height/factor), width, height))
	case "compressed":
		return compress(p, 5+rng.IntN(46))
	case "sharpened":
		strength := 1 + 3*rng.Float64()
		return add(add(p, strength, p), -strength, blur(p, 1))
	}
	return p
}

func blur(p imaging.Picture, sigma float64) imaging.Picture {
	return imaging.Shrink(p, "bilinear", p.Width, p.Height, sigma)
}

func downsample(rng *rand.Rand, p imaging.Picture, factor int) imaging.Picture {
	filter := []string{"bilinear", "bicubic", "area"}[rng.IntN(3)]
	return imaging.Shrink(p, filter, p.Width/factor, p.Height/factor, 0)
}

func noise(rng *rand.Rand, width, height int) imaging.Picture {
	p := imaging.New(width, height)
	for i := range p.Pix {
		p.Pix[i] = float32(rng.NormFloat64())
	}
	return p
}

// add returns p + share q.
func add(p imaging.Picture, share float64, q imaging.Picture) imaging.Picture {
	sum := imaging.New(p.Width, p.Height)
	for i, v := range q.Pix {
		sum.Pix[i] = p.Pix[i] + float32(share)*v
	}
	return sum
}

func compress(p imaging.Picture, quality int) imaging.Picture {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, p.Image(), &jpeg.Options{Quality: quality}); err != nil {
		panic(err) // only pictures of 65536 pixels a side or more are refused
	}
	img, err := jpeg.Decode(&file)
	if err != nil {
		panic(err) // it was just written
	}
	return imaging.FromImage(img)
}
