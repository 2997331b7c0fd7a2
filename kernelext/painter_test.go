// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestPainterThrottles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var state, seen, paints atomic.Int64
		p := newPainter(200*time.Millisecond, func() {
			seen.Store(state.Load())
			paints.Add(1)
		})
		for i := range int64(1000) { // Ten seconds of reports.
			state.Store(i)
			p.soon()
			time.Sleep(10 * time.Millisecond)
		}
		if n := paints.Load(); n < 48 || n > 51 {
			t.Errorf("%d redraws in 10 s at 200 ms each", n)
		}
		time.Sleep(time.Second)
		if seen.Load() != 999 {
			t.Errorf("the last redraw saw %d, want 999", seen.Load())
		}
		before := paints.Load()
		p.close()
		if paints.Load() != before+1 {
			t.Error("close does not redraw")
		}
		p.soon()
		p.close()
		time.Sleep(time.Second)
		if paints.Load() != before+1 {
			t.Error("redraws after close")
		}
	})
}

func TestPainterFirstAtOnceAndNeverOverlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy, paints atomic.Int64
		p := newPainter(time.Second, func() {
			if busy.Add(1) > 1 {
				t.Error("two redraws at a time")
			}
			time.Sleep(300 * time.Millisecond)
			busy.Add(-1)
			paints.Add(1)
		})
		p.soon()
		synctest.Wait()
		if busy.Load() != 1 {
			t.Fatal("the first redraw does not come at once")
		}
		var reporters sync.WaitGroup
		for range 8 {
			reporters.Go(func() {
				for range 100 {
					p.soon()
					time.Sleep(7 * time.Millisecond)
				}
			})
		}
		reporters.Wait()
		p.close()
		if n := paints.Load(); n < 2 || n > 3 {
			t.Errorf("%d redraws", n)
		}
	})
}
