// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build soak

package srdiff

import (
	"context"
	"runtime"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// Long runs must not eat memory. These take minutes:
//
//	SRDIFF_ENGINE=xla:cpu go test -tags soak -run Soak -timeout 1h -v ./srdiff

// residentMB is the resident memory of this process now.
func residentMB(t *testing.T) float64 {
	t.Helper()
	runtime.GC()
	return statusMB(t, "VmRSS:")
}

// flat expects a measure that was taken at equal distances to grow by less than a tenth over its
// second half.
func flat(t *testing.T, what string, mb []float64) {
	t.Helper()
	t.Logf("resident MB %s: %.0f", what, mb)
	if mb[0] == 0 {
		t.Skip("resident memory is known on Linux only")
	}
	if middle, end := mb[len(mb)/2], mb[len(mb)-1]; end > 1.1*middle {
		t.Errorf("resident memory grew from %.0f to %.0f MB in the second half of %s", middle, end, what)
	}
}

func TestSoakTraining(t *testing.T) {
	const steps, measures = 20_000, 20
	m := newSmall(t, small)
	var mb []float64
	err := m.Train(context.Background(), waves{small.Training.ImageSize}, steps, t.TempDir(), func(p Progress) {
		if p.Step%(steps/measures) == 0 {
			mb = append(mb, residentMB(t))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	flat(t, "over 20,000 train steps", mb)
}

func TestSoakCompiling(t *testing.T) {
	const programs, measures = 1_000, 20
	backend := graphtest.Engine(t)
	var mb []float64
	for n := range programs {
		exec, err := NewExec(backend, func(x *Node) *Node {
			return ReduceAllSum(Tanh(Mul(x, AddScalar(x, float64(n))))) // another program each time
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(make([]float32, 100+n))
		if err != nil {
			t.Fatal(err)
		}
		if err := finalize(out...); err != nil {
			t.Fatal(err)
		}
		exec.Finalize()
		if (n+1)%(programs/measures) == 0 {
			mb = append(mb, residentMB(t))
		}
	}
	flat(t, "over 1,000 compilations", mb)
}
