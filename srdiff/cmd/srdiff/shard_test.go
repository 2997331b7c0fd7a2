// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every picture is in one share, whatever their number, under the name that it has without shares. So
// is every error, and every earlier result.
func TestShards(t *testing.T) {
	model := tiny(t)
	t.Chdir(t.TempDir())
	for i := range 12 {
		put(t, filepath.Join("in", fmt.Sprintf("p%d.png", i)), 4)
	}
	put(t, filepath.Join("in", "sub", "p0.png"), 4)
	put(t, filepath.Join("in", "p0.PNG.jpg"), 4) // its short name is p0.PNG
	put(t, filepath.Join("in", "p1.jpg"), 4)     // beside p1.png
	if status, _, errs := command("upscale", "--model", model, filepath.Join("in", "p3.png")); status != 0 {
		t.Fatal(errs)
	}
	if err := os.WriteFile(filepath.Join("in", "bad.png"), []byte("hello"), 0o666); err != nil {
		t.Fatal(err)
	}
	upscale := func(out string, args ...string) (names []string, made, there, failed, earlier int) {
		status, _, errs := command(append([]string{"upscale", "--model", model, "in", "none.png", "-o", out}, args...)...)
		for line := range strings.Lines(errs) {
			if n, _ := fmt.Sscanf(line, "%d made, %d there already, %d failed; %d earlier", &made, &there, &failed, &earlier); n >= 3 {
				if (status == 0) != (failed == 0) {
					t.Errorf("status %d with %d failures", status, failed)
				}
				if _, err := os.Stat(out); err == nil {
					names = filesIn(t, out)
				}
				return names, made, there, failed, earlier
			}
		}
		t.Fatalf("%q: status %d, %q has no summary", args, status, errs)
		return
	}
	whole, made, _, failed, earlier := upscale("whole")
	if made != 15 || failed != 2 || earlier != 1 || !slices.Contains(whole, "p1.jpg-x4.png") || !slices.Contains(whole, "p1.png-x4.png") {
		t.Fatalf("without shares: %q, %d failed, %d earlier", whole, failed, earlier)
	}
	for _, n := range []int{1, 2, 3, 7, 40} {
		var all []string
		counts := map[string]int{}
		for i := range n {
			names, made, there, failed, earlier := upscale(filepath.Join("out", fmt.Sprint(n), fmt.Sprint(i)), "--shard", fmt.Sprintf("%d/%d", i+1, n))
			if made != len(names) || there != 0 {
				t.Errorf("%d/%d: %d made, %d there already, and the folder holds %d", i+1, n, made, there, len(names))
			}
			all = append(all, names...)
			counts["failed"] += failed
			counts["earlier"] += earlier
		}
		slices.Sort(all)
		if !slices.Equal(all, whole) || !maps.Equal(counts, map[string]int{"failed": 2, "earlier": 1}) {
			t.Errorf("%d shares hold %q and %v, want %q", n, all, counts, whole)
		}
	}
}

func TestShardMistakes(t *testing.T) {
	model, in := tiny(t), write(t, "in.png", pngOf(scene(4, 4)))
	for _, text := range []string{"", "1", "1/", "/2", "a/2", "1/2/3", "0/2", "3/2", "-1/2", "1/0", "1/-2", "1.5/2"} {
		status, out, errs := command("upscale", "--model", model, filepath.Dir(in), "-o", "out", "--shard="+text)
		if status != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "such as 2/8 for the second of 8 shares") {
			t.Errorf("%q: status %d, %q", text, status, errs)
		}
	}
	if status, _, errs := command("upscale", "--model", model, in, "--shard", "1/2"); status != 1 || !strings.Contains(errs, "shares out several pictures") {
		t.Errorf("one picture: status %d, %q", status, errs)
	}
}

// Numbered names are shared out about evenly.
func TestShardsAreEven(t *testing.T) {
	for _, step := range []int{1, 2, 8} {
		for _, of := range []int{2, 3, 8} {
			counts := make([]int, of)
			for i := range 2000 {
				for k := range of {
					if (shard{k + 1, of}).has(fmt.Sprintf("film/%05d.png", i*step)) {
						counts[k]++
					}
				}
			}
			even := 2000 / of
			for k, n := range counts {
				if n < even*8/10 || n > even*12/10 {
					t.Errorf("every %dth name: share %d/%d has %d of 2000: want about %d", step, k+1, of, n, even)
				}
			}
		}
	}
}
