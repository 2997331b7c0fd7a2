// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/internal/worker"
)

// work sends jobs to "srdiff worker" and returns their results.
func work(t *testing.T, model string, jobs ...map[string]any) []worker.Result {
	t.Helper()
	lines := make([]string, len(jobs))
	for i, j := range jobs {
		text, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = string(text)
	}
	return worked(t, []string{"--model", model}, lines...)
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// partJobs are the jobs that make a picture in so many parts, and that join them.
func partJobs(dir string, parts int, job map[string]any) (jobs []map[string]any) {
	var names []string
	for part := 1; part <= parts; part++ {
		names = append(names, filepath.Join(dir, fmt.Sprintf("%d-of-%d.safetensors", part, parts)))
		jobs = append(jobs, with(job, map[string]any{"job": "part", "output": names[part-1], "part": []int{part, parts}}))
	}
	return append(jobs, with(job, map[string]any{"job": "join", "parts": names}))
}

// with returns a job with other fields; nil omits one.
func with(job map[string]any, fields map[string]any) map[string]any {
	other := map[string]any{}
	for _, m := range []map[string]any{job, fields} {
		for name, value := range m {
			other[name] = value
		}
	}
	for name, value := range other {
		if value == nil {
			delete(other, name)
		}
	}
	return other
}

// The joined result has the bytes of the command's, with and without sampling, at the model's factor and
// at another scale, in each format that is written row by row.
func TestPartsAreUpscale(t *testing.T) {
	in := write(t, "in.png", pngOf(scene(8, 900)))
	predictor, refiner := predictorAndRefiner(t)
	for name, model := range map[string]string{"predictor": predictor, "refiner": refiner} {
		for _, test := range []struct {
			format string
			flags  []string
			fields map[string]any
		}{
			{"png", nil, nil},
			{"tif", []string{"--scale", "2.5"}, map[string]any{"scale": 2.5}},
			{"jpg", []string{"--width", "50"}, map[string]any{"width": 50}},
		} {
			dir := t.TempDir()
			want, got := filepath.Join(dir, "want."+test.format), filepath.Join(dir, "got."+test.format)
			if status, _, errs := command(append([]string{"upscale", "--engine", "go", "--model", model, "--seed", "7", in, "-o", want}, test.flags...)...); status != 0 {
				t.Fatal(errs)
			}
			job := with(map[string]any{"input": in, "output": got, "seed": 7}, test.fields)
			for i, r := range work(t, model, partJobs(dir, 2, job)...) {
				if !r.OK || !r.New {
					t.Fatalf("%s, %s: job %d: %+v", name, test.format, i+1, r.Failure)
				}
			}
			if !bytes.Equal(contentOf(t, got), contentOf(t, want)) {
				t.Errorf("%s, %s: the joined result differs from the command's", name, test.format)
			}
			for i, r := range work(t, model, partJobs(dir, 2, job)...) {
				if !r.OK || r.New {
					t.Errorf("%s, %s: job %d again: %+v", name, test.format, i+1, r.Failure)
				}
			}
		}
	}
}

// Parts that are not all of one picture, seed and model in their order are an error, and so is a damaged
// one. There is no result then.
func TestJoinRefuses(t *testing.T) {
	in, other := write(t, "in.png", pngOf(scene(8, 520))), write(t, "in.png", pngOf(scene(7, 520)))
	model, refiner := predictorAndRefiner(t)
	dir := t.TempDir()
	job := map[string]any{"input": in, "output": filepath.Join(dir, "out.png"), "seed": 7}
	jobs := partJobs(dir, 2, job)
	for _, r := range work(t, model, jobs[:2]...) {
		if !r.OK {
			t.Fatal(r.Error)
		}
	}
	a, b := jobs[0]["output"].(string), jobs[1]["output"].(string)
	data := contentOf(t, b)
	damaged, short := filepath.Join(dir, "damaged.safetensors"), filepath.Join(dir, "short.safetensors")
	bad := slices.Clone(data)
	bad[len(bad)-9] ^= 4
	for path, data := range map[string][]byte{damaged: bad, short: data[:len(data)/2]} {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	join := func(fields map[string]any) map[string]any { return with(jobs[2], fields) }
	parts := func(names ...string) map[string]any { return join(map[string]any{"parts": names}) }
	for i, test := range []struct {
		job  map[string]any
		kind worker.Kind
		want string
	}{
		{parts(b, a), worker.BadPicture, "its part is [2,2] and not [1,2]"},
		{parts(a), worker.BadPicture, "its part is [1,2] and not [1,1]"},
		{parts(a, a), worker.BadPicture, "its part is [1,2] and not [2,2]"},
		{parts(a, filepath.Join(dir, "none")), worker.Read, "none"},
		{parts(a, in), worker.BadPicture, "not a safetensors file"},
		{parts(a, model), worker.BadPicture, "tensors"},
		{parts(a, damaged), worker.BadPicture, "damaged.safetensors: the file is damaged"},
		{parts(a, short), worker.BadPicture, "short.safetensors: safetensors file cut short"},
		{join(map[string]any{"seed": 8}), worker.BadPicture, "its seed is 7 and not 8"},
		{join(map[string]any{"input": other}), worker.BadPicture, "its input is"},
		{join(map[string]any{"model": refiner}), worker.BadPicture, "its model is"},
		{join(map[string]any{"output": filepath.Join(dir, "out.webp")}), worker.BadJob, "encoded as a whole"},
		{join(map[string]any{"output": in}), worker.BadJob, "another file of this job"},
		{parts(), worker.BadJob, `needs "parts"`},
		{with(jobs[0], map[string]any{"part": []int{3, 2}}), worker.BadJob, "want the number of the part"},
		{with(jobs[0], map[string]any{"part": []int{1, 99}, "output": filepath.Join(dir, "p.safetensors")}), worker.BadJob, "rows of tiles"},
		{with(jobs[0], map[string]any{"output": filepath.Join(dir, "p.png")}), worker.BadJob, "ends in .safetensors"},
		{with(jobs[0], map[string]any{"part": []int{1}}), worker.BadJob, "want the number of the part"},
		{with(jobs[0], map[string]any{"output": model}), worker.Write, "is not a part that srdiff made"},
	} {
		r := work(t, model, test.job)[0]
		if r.OK || r.Kind != test.kind || !strings.Contains(r.Error, test.want) {
			t.Errorf("%d: %+v: want %s, %q", i, r.Failure, test.kind, test.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out.png")); err == nil {
		t.Error("there is a result of a failed join")
	}
	if r := work(t, model, with(jobs[0], map[string]any{"output": damaged, "part": []int{2, 2}}))[0]; !r.OK || !r.New || !bytes.Equal(contentOf(t, damaged), data) {
		t.Errorf("a damaged part is not made again: %+v", r.Failure)
	}
}
