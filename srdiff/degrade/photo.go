// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"github.com/srdiff/srlab/srdiff/imaging"
	"gonum.org/v1/gonum/stat/distuv"
)

// Photo is the degradation of pictures as people have them, for blind super-resolution: blur,
// resizing, noise and JPEG, each of a random strength. A third of the pictures is clean: they are
// made by MATLABBicubic alone. It takes neither a kernel nor a blur, a noise or a strength.
//
//	blur -> resize to once to twice the result's size -> blur -> resize -> noise -> JPEG
//
// It follows Real-ESRGAN (Wang et al. 2021) and BSRGAN (Zhang et al. 2021), in milder ranges and
// without their second round of noise and JPEG: strong degradations cost detail on good pictures.
const Photo Name = "photo"

// The ranges of Photo. All values are uniform in them, except where it says otherwise.
const (
	photoClean = 1. / 3 // share of clean pictures

	// The first blur, in pixels of the original. Real-ESRGAN: 0.2 to 3, always.
	photoBlur                    = 0.5
	minPhotoBlur, maxPhotoBlur   = 0.2, 2.
	photoAnisotropic             = 0.31 // of the blurs; Real-ESRGAN: 0.25 + 0.03 + 0.03
	photoBlur2                   = 0.5  // of those that are resized in two steps; Real-ESRGAN: 0.8
	minPhotoBlur2, maxPhotoBlur2 = 0.2, 1.5

	// The size between the two resizings, in sides of the result, is log-uniform. Real-ESRGAN resizes
	// to 0.6 to 6 sides of the result first.
	photoTwoSteps   = 0.7 // Real-ESRGAN: 0.7
	maxPhotoBetween = 2.

	// Noise, in levels of 255. For Poisson noise the standard deviation is that of white. Real-ESRGAN:
	// Gaussian of 1 to 30, or Poisson of 0.8 to 48; BSRGAN: Gaussian of 2 to 25.
	photoNoise                   = 0.6
	photoPoisson                 = 0.5 // of the noises; Real-ESRGAN: 0.5
	photoGrey                    = 0.4 // of the noises, equal in all channels; Real-ESRGAN: 0.4
	minPhotoNoise, maxPhotoNoise = 1., 15.

	// JPEG's quality. Real-ESRGAN and BSRGAN: 30 to 95, always.
	photoJPEG                        = 0.85
	minPhotoQuality, maxPhotoQuality = 50, 95
)

// photoKernels are the kernels of a resizing, of equal share. Real-ESRGAN: area, bilinear, bicubic.
var photoKernels = []Kernel{Bilinear, MATLABBicubic, Area}

func init() { Register(Photo, newPhoto) }

func newPhoto(c Config) (Degradation, error) {
	if c != (Config{Name: Photo}).WithDefaults() {
		return nil, errors.New("the degradation photo draws kernel, blur and noise itself: omit kernel, blur, noise and strength")
	}
	return photo{}, nil
}

type photo struct{}

// Apply implements Degradation. The level is 0, since networks are not given the noise.
func (photo) Apply(rng *rand.Rand, p imaging.Picture, factor int) (low imaging.Picture, level float64) {
	return drawPhoto(rng).apply(rng, p, p.Width/factor, p.Height/factor), 0
}

// recipe is what is drawn for one picture. Zeros mean that a step is omitted.
type recipe struct {
	clean         bool
	blur, blur2   gaussian
	between       float64 // size between the resizings, in sides of the result; 0 for one resizing
	first, second Kernel  // of the resizings; with one of them, second
	noise         noise
	quality       int // of JPEG
}

// gaussian is a blur as imaging.Blur takes it.
type gaussian struct{ long, short, angle float64 }

type noise struct {
	level         float64 // standard deviation, in levels of 255
	poisson, grey bool
}

func drawPhoto(rng *rand.Rand) (r recipe) {
	chance := func(share float64) bool { return rng.Float64() < share }
	kernel := func() Kernel { return photoKernels[rng.IntN(len(photoKernels))] }
	if chance(photoClean) {
		return recipe{clean: true}
	}
	if chance(photoBlur) {
		r.blur = drawGaussian(rng, minPhotoBlur, maxPhotoBlur)
	}
	if chance(photoTwoSteps) {
		r.between, r.first = math.Pow(maxPhotoBetween, rng.Float64()), kernel()
		if chance(photoBlur2) {
			r.blur2 = drawGaussian(rng, minPhotoBlur2, maxPhotoBlur2)
		}
	}
	r.second = kernel()
	if chance(photoNoise) {
		r.noise = noise{between(rng, minPhotoNoise, maxPhotoNoise), chance(photoPoisson), chance(photoGrey)}
	}
	if chance(photoJPEG) {
		r.quality = minPhotoQuality + rng.IntN(maxPhotoQuality-minPhotoQuality+1)
	}
	return r
}

func drawGaussian(rng *rand.Rand, low, high float64) gaussian {
	g := gaussian{long: between(rng, low, high)}
	g.short = g.long
	if rng.Float64() < photoAnisotropic {
		g.short, g.angle = between(rng, low, high), between(rng, 0, math.Pi)
	}
	return g
}

func between(rng *rand.Rand, low, high float64) float64 { return low + (high-low)*rng.Float64() }

// apply makes the result, of the given size. The noise comes from rng.
func (r recipe) apply(rng *rand.Rand, p imaging.Picture, width, height int) imaging.Picture {
	if r.clean {
		return imaging.Shrink(p, string(MATLABBicubic), width, height, 0)
	}
	p = r.blur.apply(p)
	if r.between > 0 {
		side := func(n int) int { return int(math.Round(r.between * float64(n))) }
		p = imaging.Shrink(p, string(r.first), min(p.Width, side(width)), min(p.Height, side(height)), 0)
	}
	p = r.blur2.apply(p)
	p = imaging.Shrink(p, string(r.second), width, height, 0)
	r.noise.add(rng, p)
	if r.quality > 0 {
		return JPEG(p, r.quality)
	}
	return imaging.FromImage(p.Image())
}

func (g gaussian) apply(p imaging.Picture) imaging.Picture {
	if g == (gaussian{}) {
		return p
	}
	return imaging.Blur(p, g.long, g.short, g.angle)
}

// add adds the noise to a picture.
func (n noise) add(rng *rand.Rand, p imaging.Picture) {
	if n.level == 0 {
		return
	}
	draw := func(float64) float64 { return n.level / 255 * rng.NormFloat64() }
	if n.poisson {
		photons := math.Pow(255/n.level, 2) // of white; their number has this variance too
		draw = func(v float64) float64 {
			if v <= 0 {
				return 0
			}
			return distuv.Poisson{Lambda: v * photons, Src: rng}.Rand()/photons - v
		}
	}
	for i := 0; i < len(p.Pix); i += 3 {
		pixel := p.Pix[i:][:3]
		if n.grey {
			grey := draw((float64(pixel[0]+pixel[1]+pixel[2])/3 + 1) / 2)
			for c := range pixel {
				pixel[c] += float32(2 * grey)
			}
			continue
		}
		for c, v := range pixel {
			pixel[c] += float32(2 * draw((float64(v)+1)/2))
		}
	}
}

// JPEG returns a picture as a JPEG file of the quality, 1 to 100, holds it: with 4:2:0 chroma
// subsampling, and decoded as imaging.Decode does it. The sides are at most 65535 pixels.
func JPEG(p imaging.Picture, quality int) imaging.Picture {
	var file bytes.Buffer
	picture := p.Image()
	// The encoder is fast for this type alone; for opaque pictures, both hold the same bytes.
	opaque := &image.RGBA{Pix: picture.Pix, Stride: picture.Stride, Rect: picture.Rect}
	if err := jpeg.Encode(&file, opaque, &jpeg.Options{Quality: quality}); err != nil {
		panic(err) // only larger pictures are refused
	}
	decoded, err := jpeg.Decode(&file)
	if err != nil {
		panic(err) // it was just written
	}
	return imaging.FromImage(decoded)
}
