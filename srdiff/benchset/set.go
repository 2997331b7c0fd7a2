// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package benchset measures enlargers as papers on super-resolution do: on a folder of pictures
// such as Set5, Set14 or BSD100, made small by MATLAB's bicubic interpolation, beside the figures
// that other methods have published.
package benchset

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// Factors are the factors of enlargement that sets are read for.
var Factors = []int{2, 3, 4, 8}

// Set is a folder of pictures to measure enlargers on.
type Set struct {
	Name    string   // the folder's name
	Factor  int      // of enlargement
	Omitted []string // names of the folder's other picture files, where it has pairs

	// Damage is done to every low-resolution picture. With damage, the figures cannot be compared with
	// published ones.
	Damage degrade.Damage

	files []pairFiles
}

// pairFiles are the paths of a pair. Without low, the low-resolution picture is made of high.
type pairFiles struct{ name, high, low string }

// Pair is a picture of a set and the low-resolution picture that enlargers get.
type Pair struct {
	Name     string
	Original imaging.Picture // cropped at its right and lower side to a multiple of the factor
	Low      imaging.Picture // Original's size divided by the factor, in 8 bits
}

// Open reads the set in a folder for a factor of Factors. The folder has
//
//	NAME_HR.png and NAME_LR.png   pairs
//	NAME_HR.png alone, or NAME.png  pictures in high resolution; Pair makes the low-resolution ones
//
// in any format that imaging reads. Where there is a name with _HR or _LR, files without are
// omitted. Subfolders are not read.
//
// All pictures are decoded once, so that a long measurement meets no bad one. It is an error if a
// picture cannot be read or is too small to measure, a pair has one picture only, or its sizes do
// not fit the factor.
func Open(folder string, factor int) (*Set, error) {
	if !slices.Contains(Factors, factor) {
		return nil, fmt.Errorf("factor %d: want 2, 3, 4 or 8", factor)
	}
	whole, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	s := &Set{Name: filepath.Base(whole), Factor: factor}
	if err := s.find(folder, entries); err != nil {
		return nil, err
	}
	var failed []error
	for i := range s.files {
		if _, err := s.Pair(i); err != nil {
			failed = append(failed, err)
		}
	}
	switch len(failed) {
	case 0:
		return s, nil
	case 1:
		return nil, failed[0]
	}
	return nil, fmt.Errorf("%d of the set's %d pictures cannot be used, such as the first: %w", len(failed), len(s.files), failed[0])
}

// find fills s.files, sorted by name.
func (s *Set) find(folder string, entries []fs.DirEntry) error {
	high, low := map[string]string{}, map[string]string{}
	var plain []string
	for _, e := range entries {
		file := e.Name()
		suffix := filepath.Ext(file)
		if e.IsDir() || strings.HasPrefix(file, ".") || !slices.Contains(imaging.Suffixes, strings.ToLower(suffix)) {
			continue
		}
		stem := strings.TrimSuffix(file, suffix)
		group := map[string]map[string]string{"_hr": high, "_lr": low}[strings.ToLower(stem[max(0, len(stem)-3):])]
		if group == nil {
			plain = append(plain, file)
			continue
		}
		name := stem[:len(stem)-3]
		if other, ok := group[name]; ok {
			return fmt.Errorf("%s and %s in %s have one name: keep one of them", filepath.Base(other), file, folder)
		}
		group[name] = filepath.Join(folder, file)
	}
	if len(high)+len(low) == 0 {
		for _, file := range plain {
			s.files = append(s.files, pairFiles{name: strings.TrimSuffix(file, filepath.Ext(file)), high: filepath.Join(folder, file)})
		}
	} else {
		s.Omitted = plain
	}
	for name, path := range low {
		if high[name] == "" {
			return fmt.Errorf("%s has no partner %s_HR", path, name)
		}
	}
	for name, path := range high {
		if len(low) > 0 && low[name] == "" {
			return fmt.Errorf("%s has no partner %s_LR, which other pictures have", path, name)
		}
		s.files = append(s.files, pairFiles{name, path, low[name]})
	}
	if len(s.files) == 0 {
		return fmt.Errorf("%s has no pictures: want NAME_HR.png and NAME_LR.png, or pictures in high resolution", folder)
	}
	slices.SortFunc(s.files, func(a, b pairFiles) int { return strings.Compare(a.name, b.name) })
	for i := range s.files[1:] {
		if s.files[i].name == s.files[i+1].name {
			return fmt.Errorf("two pictures in %s are called %s: rename one of them", folder, s.files[i].name)
		}
	}
	return nil
}

// Len returns the number of pictures.
func (s *Set) Len() int { return len(s.files) }

// Pair reads a picture, 0 to Len()-1 in the order of their names. Its errors are those that Open
// describes.
func (s *Set) Pair(i int) (Pair, error) {
	p, err := s.undamaged(s.files[i])
	if err == nil && s.Damage != (degrade.Damage{}) {
		p.Low = s.Damage.Apply(p.Low, i)
	}
	return p, err
}

func (s *Set) undamaged(f pairFiles) (Pair, error) {
	original, err := open(f.high)
	if err != nil {
		return Pair{}, err
	}
	if f.low == "" {
		p := Pair{Name: f.name}
		if p.Original, err = fitted(s.Factor, f.high, original); err == nil {
			p.Low = imaging.Imresize(p.Original, 1/float64(s.Factor))
		}
		return p, err
	}
	low, err := open(f.low)
	if err != nil {
		return Pair{}, err
	}
	p, err := NewPair(s.Factor, f.high, original, f.low, low)
	p.Name = f.name
	return p, err
}

// NewPair returns the pair of an original and its low-resolution picture. It returns an error, which
// names their files, if the original is too small to measure or the sizes do not fit the factor.
func NewPair(factor int, high string, original imaging.Picture, low string, small imaging.Picture) (Pair, error) {
	whole, err := fitted(factor, high, original)
	if err != nil {
		return Pair{}, err
	}
	if size := image.Pt(whole.Width/factor, whole.Height/factor); small.Width != size.X || small.Height != size.Y {
		return Pair{}, fmt.Errorf("%s is %dx%d and %s %dx%d, which do not fit at x%d: want a low-resolution picture of %dx%d",
			high, original.Width, original.Height, low, small.Width, small.Height, factor, size.X, size.Y)
	}
	return Pair{Original: whole, Low: small}, nil
}

// fitted crops an original to a multiple of the factor.
func fitted(factor int, name string, original imaging.Picture) (imaging.Picture, error) {
	width, height := original.Width/factor*factor, original.Height/factor*factor
	if least := ssimWindow + 2*factor; min(width, height) < least {
		return imaging.Picture{}, fmt.Errorf("%s is %dx%d, which is too small to measure at x%d: want at least %d pixels a side",
			name, original.Width, original.Height, factor, least)
	}
	return cropped(original, image.Rect(0, 0, width, height)), nil
}

// ssimWindow is the least side that SSIM takes, without the border.
const ssimWindow = 11

// open reads a picture as it looks: hidden colours do not count.
func open(path string) (imaging.Picture, error) {
	img, err := imaging.Open(path)
	if errors.Is(err, imaging.ErrFormat) {
		return imaging.Picture{}, fmt.Errorf("%w; remove it from the set", err)
	}
	if err != nil {
		return imaging.Picture{}, err
	}
	return imaging.Visible(img), nil
}

// cropped is the part of a picture in a rectangle, which must lie inside.
func cropped(p imaging.Picture, r image.Rectangle) imaging.Picture {
	out := imaging.New(r.Dx(), r.Dy())
	for y := range out.Height {
		copy(out.Pix[y*out.Width*3:(y+1)*out.Width*3], p.Pix[((y+r.Min.Y)*p.Width+r.Min.X)*3:])
	}
	return out
}
