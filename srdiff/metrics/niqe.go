// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	_ "embed" // for niqe.json
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"

	"github.com/srdiff/srlab/srdiff/imaging"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// NIQE returns the Natural Image Quality Evaluator of Mittal, Soundararajan and Bovik (2013),
// "Making a Completely Blind Image Quality Analyzer". It is at least 0, and less is more natural.
// It needs no original: it is the distance between the statistics of a picture's blocks and those
// of undamaged photographs,
//
//	sqrt((m - m_0)^T ((C + C_0)/2)^-1 (m - m_0))
//
// where m is the mean and C the covariance of 36 features of a block. They are 18 features at each
// of two scales: the picture, in blocks of 96x96 pixels, and the picture at half its size by
// MATLAB's bicubic with antialiasing, in blocks of 48x48. At each scale, the luma Y becomes
//
//	v = (Y - mu) / (sigma + 1)
//
// by its mean mu and its standard deviation sigma in a 7x7 Gaussian window of standard deviation
// 7/6, with the border repeated. Asymmetric generalised Gaussian distributions are fitted to a block
// of v and to the products of its horizontal, vertical and diagonal neighbours. The features are
// the shape and the scale of the first, and the shape, the mean, the left scale and the right scale
// of the four others.
//
// Y is that of BT.601, in whole numbers 16..235, of the picture in 8 bits. Pixels beyond the last
// whole block do not count. Flat blocks do not either, since they have no such features.
//
// srdiff/metrics/fitniqe fitted the parameters m_0 and C_0 to photographs of free licences. They are
// not those of the paper's release, so values cannot be compared with published ones.
//
// It is an error if the picture has fewer than two whole blocks, or if fewer than two of them have
// any texture.
func NIQE(p imaging.Picture) (float64, error) { return pristine().NIQE(p) }

//go:embed niqe.json
var niqeParameters []byte

// pristine are the parameters that NIQE uses.
var pristine = sync.OnceValue(func() *NIQEModel {
	m := new(NIQEModel)
	if err := json.Unmarshal(niqeParameters, m); err != nil {
		panic(err) // The file is compiled in.
	}
	return m
})

// NIQEModel is what NIQE compares pictures with: the mean and the covariance of the features of
// undamaged photographs.
type NIQEModel struct {
	Mean       []float64   `json:"mean"`       // of each of the 36 features
	Covariance [][]float64 `json:"covariance"` // row i holds columns 0 to i
	Pictures   int         `json:"pictures"`   // that it was fitted to
	Blocks     int         `json:"blocks"`     // of those pictures that were sharp enough
}

// niqeSharp is the share of the sharpest block's sharpness above which a block of a photograph
// counts in FitNIQE.
const niqeSharp = 0.75

// FitNIQE returns the parameters for pictures, which should be undamaged photographs. Only blocks
// count whose sharpness, the mean of sigma, is above 0.75 of that of the sharpest block of their
// picture. It returns the first error of the pictures, and an error if there are fewer than 37 such
// blocks, the least for a covariance of full rank.
func FitNIQE(pictures iter.Seq2[imaging.Picture, error]) (*NIQEModel, error) {
	m := new(NIQEModel)
	var features [][]float64
	for p, err := range pictures {
		if err != nil {
			return nil, err
		}
		m.Pictures++
		blocks, err := niqeBlocks(p)
		if err != nil {
			return nil, fmt.Errorf("picture %d: %w", m.Pictures, err)
		}
		sharpest := 0.0
		for _, b := range blocks {
			sharpest = max(sharpest, b.sharpness)
		}
		for _, b := range blocks {
			if b.sharpness > niqeSharp*sharpest {
				features = append(features, b.features[:])
			}
		}
	}
	if m.Blocks = len(features); m.Blocks <= niqeFeatures {
		return nil, fmt.Errorf("the pictures have %d sharp blocks of %dx%d: want at least %d", m.Blocks, niqeBlock, niqeBlock, niqeFeatures+1)
	}
	mean, covariance := meanAndCovariance(features)
	m.Mean = mean
	for i := range niqeFeatures {
		row := make([]float64, i+1)
		for j := range row {
			row[j] = covariance.At(i, j)
		}
		m.Covariance = append(m.Covariance, row)
	}
	return m, nil
}

// NIQE returns the distance of a picture from the model: see the function NIQE.
func (m *NIQEModel) NIQE(p imaging.Picture) (float64, error) {
	for _, v := range p.Pix {
		if v != v {
			return math.NaN(), nil
		}
	}
	blocks, err := niqeBlocks(p)
	if err != nil {
		return 0, err
	}
	features := make([][]float64, len(blocks))
	for i := range blocks {
		features[i] = blocks[i].features[:]
	}
	mean, covariance := meanAndCovariance(features)
	difference := mat.NewVecDense(niqeFeatures, nil)
	for i := range niqeFeatures {
		difference.SetVec(i, mean[i]-m.Mean[i])
		for j := range i + 1 {
			covariance.SetSym(i, j, (covariance.At(i, j)+m.Covariance[i][j])/2)
		}
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(covariance) {
		return 0, errors.New("the covariance of NIQE's parameters is not positive definite")
	}
	var solved mat.VecDense
	if err := cholesky.SolveVecTo(&solved, difference); err != nil {
		return 0, fmt.Errorf("NIQE: %w", err)
	}
	return math.Sqrt(mat.Dot(difference, &solved)), nil
}

// meanAndCovariance are those of rows of features, with n - 1 in the denominator.
func meanAndCovariance(rows [][]float64) (mean []float64, covariance *mat.SymDense) {
	data := mat.NewDense(len(rows), niqeFeatures, nil)
	for i, row := range rows {
		data.SetRow(i, row)
	}
	mean = make([]float64, niqeFeatures)
	for i := range mean {
		mean[i] = stat.Mean(mat.Col(nil, i, data), nil)
	}
	covariance = mat.NewSymDense(niqeFeatures, nil)
	stat.CovarianceMatrix(covariance, data, nil)
	return mean, covariance
}
