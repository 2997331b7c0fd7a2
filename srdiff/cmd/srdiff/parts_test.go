// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/networks"
)

// tinyLocal writes models that compute at low resolution: a predictor, and one that refines its result.
func tinyLocal(t *testing.T) (predictor, refiner string) {
	t.Helper()
	c := srdiff.Config{Network: networks.Config{Name: networks.PixelShuffle, BaseChannels: 4, Blocks: 1},
		Diffusion: diffusion.Config{Prediction: diffusion.Regression}}
	predictor = tinyOf(t, "predictor", c)
	c.Predictor, c.Network.Name, c.Diffusion = c.Network, networks.Residual, diffusion.Config{Prediction: diffusion.PredictV, Timesteps: 50}
	return predictor, tinyOf(t, "refiner", c)
}

// work sends jobs to "srdiff worker" and returns what it prints of each.
func work(t *testing.T, args []string, jobs ...map[string]any) []map[string]any {
	t.Helper()
	var lines bytes.Buffer
	for _, j := range jobs {
		if err := json.NewEncoder(&lines).Encode(j); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	if status := run(context.Background(), append([]string{"worker"}, args...), &lines, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	results := make([]map[string]any, len(jobs))
	decoder := json.NewDecoder(&out)
	for i := range results {
		if err := decoder.Decode(&results[i]); err != nil {
			t.Fatalf("result %d of %d: %v", i+1, len(jobs), err)
		}
	}
	return results
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
	in := write(t, "in.png", pngOf(scene(8, 520)))
	predictor, refiner := tinyLocal(t)
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
			args := []string{"--engine", "go", "--model", model}
			for i, r := range work(t, args, partJobs(dir, 3, job)...) {
				if r["ok"] != true || r["made"] != true {
					t.Fatalf("%s, %s: job %d: %v", name, test.format, i+1, r)
				}
			}
			if !bytes.Equal(contentOf(t, got), contentOf(t, want)) {
				t.Errorf("%s, %s: the joined result differs from the command's", name, test.format)
			}
			for i, r := range work(t, args, partJobs(dir, 3, job)...) {
				if r["ok"] != true || r["made"] != false {
					t.Errorf("%s, %s: job %d again: %v", name, test.format, i+1, r)
				}
			}
		}
	}
}

// Parts that are not all of one picture, seed and model in their order are an error, and so is a damaged
// one. There is no result then.
func TestJoinRefuses(t *testing.T) {
	in, other := write(t, "in.png", pngOf(scene(8, 520))), write(t, "in.png", pngOf(scene(7, 520)))
	model, refiner := tinyLocal(t)
	dir := t.TempDir()
	args := []string{"--engine", "go", "--model", model}
	job := map[string]any{"input": in, "output": filepath.Join(dir, "out.png"), "seed": 7}
	jobs := partJobs(dir, 2, job)
	for _, r := range work(t, args, jobs[:2]...) {
		if r["ok"] != true {
			t.Fatal(r)
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
		job        map[string]any
		kind, want string
	}{
		{parts(b, a), "picture", "its part is [2,2] and not [1,2]"},
		{parts(a), "picture", "its part is [1,2] and not [1,1]"},
		{parts(a, a), "picture", "its part is [1,2] and not [2,2]"},
		{parts(a, filepath.Join(dir, "none")), "read", "none"},
		{parts(a, in), "picture", "not a safetensors file"},
		{parts(a, model), "picture", "tensors"},
		{parts(a, damaged), "picture", "damaged.safetensors: the file is damaged"},
		{parts(a, short), "picture", "short.safetensors: safetensors file cut short"},
		{join(map[string]any{"seed": 8}), "picture", "its seed is 7 and not 8"},
		{join(map[string]any{"input": other}), "picture", "its input is"},
		{join(map[string]any{"model": refiner}), "picture", "its model is"},
		{join(map[string]any{"output": filepath.Join(dir, "out.webp")}), "job", "encoded as a whole"},
		{join(map[string]any{"output": in}), "job", "another file of this job"},
		{parts(), "job", `needs "parts"`},
		{with(jobs[0], map[string]any{"part": []int{3, 2}}), "job", "want the number of the part"},
		{with(jobs[0], map[string]any{"part": []int{1, 99}, "output": filepath.Join(dir, "p.safetensors")}), "job", "rows of tiles"},
		{with(jobs[0], map[string]any{"output": filepath.Join(dir, "p.png")}), "job", "ends in .safetensors"},
		{with(jobs[0], map[string]any{"part": []int{1}}), "job", "want the number of the part"},
		{with(jobs[0], map[string]any{"output": model}), "write", "is not a part that srdiff made"},
	} {
		r := work(t, args, test.job)[0]
		text, _ := r["error"].(string)
		if r["ok"] != false || r["kind"] != test.kind || !strings.Contains(text, test.want) {
			t.Errorf("%d: %v: want %s, %q", i, r, test.kind, test.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out.png")); err == nil {
		t.Error("there is a result of a failed join")
	}
	if r := work(t, args, with(jobs[0], map[string]any{"output": damaged, "part": []int{2, 2}}))[0]; r["ok"] != true || r["made"] != true || !bytes.Equal(contentOf(t, damaged), data) {
		t.Errorf("a damaged part is not made again: %v", r)
	}
}

// FuzzReadPart reads a part's record: what is accepted can be used.
func FuzzReadPart(f *testing.F) {
	record := partRecord{Part: [2]int{1, 2}, Rows: [2]int{0, 2}, Width: 3, Height: 5}
	record.Model, record.Engine, record.Options = "m", "go", map[string]string{"eta": "1"}
	text, err := json.Marshal(record)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(`{"part":[1,1],"rows":[-1,1],"width":3,"height":1}`)
	f.Add(`{"part":[1,1],"rows":[0,2],"width":3,"height":9223372036854775807}`)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := os.Create(filepath.Join(t.TempDir(), "part"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		values := func(yield func([]float32, error) bool) { yield(make([]float32, 18), nil) }
		if err := checkpoint.WriteStream(file, streamOf(text, []uint64{2, 3, 3}), values); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		r, rows, err := readPart(file)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		height := 0
		for strip, err := range r.stripsOf(rows) {
			if err != nil {
				t.Fatal(err)
			}
			height += strip.Height
		}
		if height != 2 || r.Width != 3 || difference(r, r) != "" {
			t.Errorf("%q has %d rows of %d", text, height, r.Width)
		}
	})
}
