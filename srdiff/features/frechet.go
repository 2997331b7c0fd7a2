// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package features

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Distance returns the Fréchet distance between two sets of features, at least 0 (Dowson and Landau
// 1982; Heusel et al. 2017, equation 6). It treats each set as a sample of a Gaussian, of mean m
// and covariance C:
//
//	|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))
//
// With the features of this package's classifier it is the srdiff Fréchet distance, SFD. It cannot
// be compared with distances between features of other networks, such as FID. The estimate is too
// large for few pictures, and its bias grows as their number falls (Bińkowski et al. 2018): compare
// distances of equal numbers of pictures. It returns an error for fewer rows than twice their
// length, which give a poor covariance, and for rows of different lengths.
func Distance(a, b [][]float64) (float64, error) {
	p, err := matrix(a)
	if err != nil {
		return 0, err
	}
	q, err := matrix(b)
	if err != nil {
		return 0, err
	}
	if _, m := p.Dims(); len(b[0]) != m {
		return 0, fmt.Errorf("features of %d and of %d dimensions cannot be compared", m, len(b[0]))
	}
	return distance(p, q)
}

// resamplings is the number of sets that the bootstrap draws.
const resamplings = 200

// Interval returns the distance and half the width of its 95 % confidence interval, 1.96 times its
// standard deviation over 200 sets of pictures that are drawn from the given ones with replacement
// (the bootstrap, Efron 1979). a[i] and b[i] belong to one picture and are drawn together. It
// returns Distance's errors, and an error for sets of different sizes.
func Interval(a, b [][]float64, seed int64) (d, half float64, err error) {
	if len(a) != len(b) {
		return 0, 0, fmt.Errorf("%d and %d pictures cannot be drawn in pairs: want as many of both", len(a), len(b))
	}
	if d, err = Distance(a, b); err != nil {
		return 0, 0, err
	}
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	values := make([]float64, resamplings)
	p, q := mat.NewDense(len(a), len(a[0]), nil), mat.NewDense(len(b), len(b[0]), nil)
	for k := range values {
		for row := range a {
			i := rng.IntN(len(a))
			p.SetRow(row, a[i])
			q.SetRow(row, b[i])
		}
		if values[k], err = distance(p, q); err != nil {
			return 0, 0, err
		}
	}
	return d, 1.96 * stat.StdDev(values, nil), nil
}

// matrix returns a matrix with one row of features per picture.
func matrix(rows [][]float64) (*mat.Dense, error) {
	if len(rows) == 0 || len(rows[0]) == 0 || len(rows) < 2*len(rows[0]) {
		dimensions := Dimensions
		if len(rows) > 0 {
			dimensions = len(rows[0])
		}
		return nil, fmt.Errorf("%d pictures are too few for a Fréchet distance between features of %d dimensions: "+
			"want at least %d", len(rows), dimensions, 2*dimensions)
	}
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, row := range rows {
		if len(row) != len(rows[0]) {
			return nil, fmt.Errorf("features of %d and of %d dimensions in one set", len(rows[0]), len(row))
		}
		if sum := floats.Sum(row); math.IsNaN(sum) || math.IsInf(sum, 0) {
			return nil, fmt.Errorf("the features of picture %d are not finite numbers", i)
		}
		m.SetRow(i, row)
	}
	return m, nil
}

// distance computes Distance. With X_a the rows less their mean, over sqrt(n - 1), and X_a = Q_a
// R_a, C_a is R_a^T R_a, and the roots of the eigenvalues of C_a C_b, whose sum is the trace of
// (C_a C_b)^(1/2), are the singular values of R_a R_b^T. This way takes no root of a rounded zero.
func distance(a, b *mat.Dense) (float64, error) {
	meanA, ra := meanAndRoot(a)
	meanB, rb := meanAndRoot(b)
	var product mat.Dense
	product.Mul(ra, rb.T())
	var svd mat.SVD
	if !svd.Factorize(&product, mat.SVDNone) {
		return 0, errors.New("the Fréchet distance of these features cannot be worked out: their singular values do not converge")
	}
	shift, spreadA, spreadB := floats.Distance(meanA, meanB, 2), mat.Norm(ra, 2), mat.Norm(rb, 2)
	return max(0, shift*shift+spreadA*spreadA+spreadB*spreadB-2*floats.Sum(svd.Values(nil))), nil
}

// meanAndRoot returns the mean of the rows of x and the R of their covariance.
func meanAndRoot(x *mat.Dense) (mean []float64, r *mat.Dense) {
	rows, columns := x.Dims()
	centred := mat.NewDense(rows, columns, nil)
	for j := range columns {
		column := mat.Col(nil, j, x)
		m := stat.Mean(column, nil)
		floats.AddConst(-m, column)
		floats.Scale(1/math.Sqrt(float64(rows-1)), column)
		mean = append(mean, m)
		centred.SetCol(j, column)
	}
	var qr mat.QR
	qr.Factorize(centred)
	var full mat.Dense
	qr.RTo(&full)
	return mean, mat.DenseCopyOf(full.Slice(0, columns, 0, columns))
}
