// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/benchset"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/worker"
	"github.com/srdiff/srlab/srdiff/metrics"
	"github.com/srdiff/srlab/srdiff/networks"
	_ "gocloud.dev/blob/memblob" // mem://
)

// worked runs "srdiff worker" on lines, which must end well, and returns the results.
func worked(t *testing.T, args []string, lines ...string) (results []worker.Result) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"worker", "--engine", "go"}, args...)
	if status := run(context.Background(), args, strings.NewReader(strings.Join(lines, "\n")), &out, &errs); status != 0 {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	for line := range strings.Lines(out.String()) {
		var r worker.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		results = append(results, r)
	}
	if len(results) != len(lines) {
		t.Fatalf("%d lines have %d results", len(lines), len(results))
	}
	return results
}

// line is a job with more fields, given as JSON without braces.
func line(in, out, fields string) string {
	if fields != "" {
		fields = "," + fields
	}
	return fmt.Sprintf(`{"input":%q,"output":%q%s}`, in, out, fields)
}

// predictorAndRefiner returns small models that work in strips.
func predictorAndRefiner(t *testing.T) (predictor, refiner string) {
	small := networks.Config{Name: networks.PixelShuffle, BaseChannels: 4, Blocks: 1}
	predictor = tinyOf(t, "predictor", srdiff.Config{Network: small, Diffusion: diffusion.Config{Prediction: diffusion.Regression}})
	refiner = tinyOf(t, "refiner", srdiff.Config{Network: networks.Config{Name: networks.Residual, Blocks: 1}, Predictor: small,
		Diffusion: diffusion.Config{Prediction: diffusion.PredictV, Timesteps: 4}})
	return predictor, refiner
}

// A result has the bytes that "srdiff upscale" writes with the same options, and the line says what is
// in the file.
func TestWorkerIsUpscale(t *testing.T) {
	dir := t.TempDir()
	sampler := tiny(t)
	predictor, refiner := predictorAndRefiner(t)
	in := write(t, "é cat.png", pngOf(scene(12, 9)))
	tall := write(t, "tall.png", pngOf(scene(7, 1500))) // several strips, in little memory
	seed := fmt.Sprint(crc32.ChecksumIEEE([]byte("é cat.png")))
	tallSeed := fmt.Sprint(crc32.ChecksumIEEE([]byte("tall.png")))
	var lines []string
	var outs [][2]string // of the worker and of upscale
	for i, test := range []struct{ in, model, end, fields, flags string }{
		{in, sampler, ".png", "", "--seed " + seed},
		{in, sampler, ".png", `"seed":7,"steps":2,"scale":2.5`, "--seed 7 --sampling-steps 2 --scale 2.5"},
		{in, refiner, ".webp", `"strength":0.3,"quality":50,"strip":true`, "--strength 0.3 --quality 50 --strip --seed " + seed},
		{in, predictor, ".jpg", `"width":100,"height":50,"seed":0`, "--width 100 --height 50"},
		{in, predictor, ".tif", `"megapixels":0.01,"seed":-3`, "--megapixels 0.01 --seed -3"},
		{tall, predictor, ".png", "", "--seed " + tallSeed},
		{tall, refiner, ".jpg", `"scale":3`, "--scale 3 --seed " + tallSeed},
		{tall, predictor, ".webp", "", "--seed " + tallSeed}, // more than may be held beside other work
	} {
		ours, theirs := filepath.Join(dir, fmt.Sprint(i, test.end)), filepath.Join(dir, fmt.Sprint(i, "-upscale", test.end))
		lines = append(lines, line(test.in, ours, fmt.Sprintf(`"model":%q,`, test.model)+strings.TrimPrefix(test.fields+`,"id":`+fmt.Sprint(i), ",")))
		args := append([]string{"upscale", "--engine", "go", "--model", test.model, test.in, "-o", theirs}, strings.Fields(test.flags)...)
		if status, _, errs := command(args...); status != 0 {
			t.Fatal(errs)
		}
		outs = append(outs, [2]string{ours, theirs})
	}
	for _, memory := range []string{"2GB", "1180MB", "570MB"} { // at once, in strips, and one after the other
		for i, r := range worked(t, []string{"--memory", memory}, lines...) {
			if !r.OK || !r.New {
				t.Fatalf("%s: job %d: %+v", memory, i, r.Failure)
			}
			ours, err := os.ReadFile(outs[i][0])
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := os.ReadFile(outs[i][1])
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(ours, theirs) {
				t.Errorf("%s: job %d: the files differ", memory, i)
			}
			size := opened(t, outs[i][0]).Bounds().Size()
			info, err := os.Stat(r.Input)
			if err != nil {
				t.Fatal(err)
			}
			hash, err := hashOf(outs[i][0])
			if err != nil {
				t.Fatal(err)
			}
			if string(r.ID) != fmt.Sprint(i) || r.Width != size.X || r.Height != size.Y || r.BytesIn != info.Size() || r.BytesOut != int64(len(ours)) ||
				r.SHA256 != hash || !(r.Seconds > 0) || fmt.Sprint(r.Seed) != fmt.Sprint(madeBy(t, outs[i][0]).Seed) {
				t.Errorf("%s: job %d: %+v", memory, i, *r.Made)
			}
			if err := os.Remove(outs[i][0]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A complete result of the same input, model and options is kept, also where two jobs of one stream are
// the same. Anything else of srdiff's is made again, and other files are left alone.
func TestWorkerKeepsResults(t *testing.T) {
	model, in, dir := tiny(t), write(t, "in.png", pngOf(scene(4, 4))), t.TempDir()
	args := []string{"--model", model}
	for _, end := range []string{".png", ".jpg", ".webp", ".tif"} {
		out := filepath.Join(dir, "out"+end)
		for _, name := range []string{out, "mem://bucket/out" + end} {
			list := worked(t, args, line(in, name, ""), line(in, name, ""), line(in, name, `"quality":92`), line(in, name, `"seed":3`),
				line(in, name, `"seed":3,"quality":20`), line(in, name, `"strip":true`), line(in, name, `"strip":true,"scale":2`))
			var made []bool
			for _, r := range list {
				if !r.OK {
					t.Fatal(r.Failure)
				}
				made = append(made, r.New)
			}
			want := []bool{true, false, false, true, end == ".jpg" || end == ".webp", true, true}
			if fmt.Sprint(made) != fmt.Sprint(want) {
				t.Errorf("%s: made %v, want %v", name, made, want)
			}
			first, second := *list[0].Made, *list[1].Made
			if first.New, first.Seconds = false, 0; first != second {
				t.Errorf("%s: %+v is kept as %+v", name, first, second)
			}
		}
		whole, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(out, whole[:len(whole)-1], 0o666); err != nil {
			t.Fatal(err)
		}
		r := worked(t, args, line(in, out, `"strip":true,"scale":2`))[0] // a WebP and a TIFF say at their end who made them
		if now, err := os.ReadFile(out); (end == ".png" || end == ".jpg") && (!r.OK || !r.New) || err != nil || r.OK && !bytes.Equal(now, whole) {
			t.Errorf("a truncated %s: %+v, %v", end, r, err)
		}
	}
	foreign := write(t, "foreign.png", pngOf(scene(3, 3)))
	before, _ := os.ReadFile(foreign)
	r := worked(t, args, line(in, foreign, ""))[0]
	if after, _ := os.ReadFile(foreign); r.OK || r.Kind != worker.Write || !strings.Contains(r.Error, "srdiff did not make it") || !bytes.Equal(before, after) {
		t.Errorf("another file: %+v", r.Failure)
	}
}

// What is wrong with a job is its result. The next jobs are done, and the exit status is 0.
func TestWorkerBadJobs(t *testing.T) {
	t.Chdir(t.TempDir())
	model, dir := tiny(t), t.TempDir()
	predictor, _ := predictorAndRefiner(t)
	in := write(t, "in.png", pngOf(scene(4, 4)))
	text := write(t, "text.png", bytesOf("hello"))
	data, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	cut := write(t, "cut.png", bytesOf(string(data[:len(data)-30])))
	made := filepath.Join(dir, "made.png")
	link := filepath.Join(dir, "link.png")
	if status, _, errs := command("upscale", "--model", model, in, "-o", made); status != 0 {
		t.Fatal(errs)
	}
	if err := os.Link(made, link); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.png")
	tests := []struct {
		kind       worker.Kind
		want, line string
	}{
		{worker.BadJob, "not a JSON object", "hello"},
		{worker.BadJob, `"scale" is 0: want a value greater than 0`, line(in, out, `"scale":0`)},
		{worker.BadJob, "scale is 65", line(in, out, `"scale":65`)},
		{worker.BadJob, "give one of them", line(in, out, `"scale":2,"width":7`)},
		{worker.BadJob, `"strength" is 2: want a value from 0 to 1`, line(in, out, `"strength":2`)},
		{worker.BadJob, "fidelity belongs to a model that refines", line(in, out, `"strength":0.5`)},
		{worker.BadJob, "from 1 to the model's 3 timesteps", line(in, out, `"steps":4`)},
		{worker.BadJob, "quality is 101", line(in, out, `"quality":101`)},
		{worker.BadJob, "want a name that ends in .png, .jpg, .webp or .tif", line(in, "out.gif", "")},
		{worker.BadJob, "which is another file of this job", line(made, link, "")},
		{worker.BadJob, "begins with ftp://", line("ftp://a/b.png", out, "")},
		{worker.BadJob, "begins with ftp://", line(in, "ftp://a/b.png", "")},
		{worker.BadJob, `"samples" is 1: want at least 2`, line(in, out, `"job":"sample","samples":1,"spread":"s.png"`)},
		{worker.BadJob, "does not sample", line(in, out, fmt.Sprintf(`"job":"sample","samples":2,"spread":"s.png","model":%q`, predictor))},
		{worker.BadJob, "want a name that ends in .png", line(in, out, `"job":"sample","samples":2,"spread":"s.jpg"`)},
		{worker.BadJob, "another file of this job", line(in, out, fmt.Sprintf(`"job":"sample","samples":2,"spread":%q`, out))},
		{worker.Read, "no such file", line("none.png", out, "")},
		{worker.Read, "is a directory", line(dir, out, "")},
		{worker.Read, "NotFound", line("mem://bucket/none.png", out, "")},
		{worker.Read, "no such file", `{"job":"evaluate","input":"` + in + `","original":"none.png"}`},
		{worker.BadPicture, "text.png: not a picture", line(text, out, "")},
		{worker.BadPicture, "cut.png: picture is damaged, cut short", line(cut, out, "")},
		{worker.BadPicture, "at most 16383 pixels a side", line(in, "out.webp", `"width":16384`)},
		{worker.BadPicture, "text.png: not a picture", `{"job":"evaluate","input":"` + in + `","original":"` + text + `"}`},
		{worker.Memory, "1.0GB are allowed", line(in, "out.webp", `"width":16000`)},
		{worker.Write, "not a directory", line(in, filepath.Join(in, "out.png"), "")},
		{worker.Write, "srdiff did not make it", line(made, in, "")},
		{worker.BadModel, "no such file; the models in srdiff are", line(in, out, `"model":"frob"`)},
		{worker.BadModel, "safetensors", line(in, out, fmt.Sprintf(`"model":%q`, in))},
		{worker.BadPair, "too small to measure", `{"job":"evaluate","input":"` + in + `","original":"` + made + `"}`},
	}
	var lines []string
	for _, test := range tests {
		lines = append(lines, test.line, line(in, made, `"seed":0`))
	}
	for i, r := range worked(t, []string{"--model", model, "--memory", "1GB"}, lines...) {
		if i%2 == 1 {
			if !r.OK || r.New {
				t.Errorf("after %s: %+v", lines[i-1], r.Failure)
			}
			continue
		}
		test := tests[i/2]
		if r.OK || r.Kind != test.kind || !strings.Contains(r.Error, test.want) || strings.Contains(r.Error, "\n") {
			t.Errorf("%s: %+v, want %s: %s", test.line, r.Failure, test.kind, test.want)
		}
	}
	if left := filesIn(t, dir); len(left) != 2 {
		t.Errorf("the folder holds %q", left)
	}
}

// A mistake of the command line ends the command before it reads a job.
func TestWorkerMistakes(t *testing.T) {
	for want, args := range map[string][]string{
		"no such file; the models in srdiff are": {"--model", "none.safetensors"},
		`engine "frob" is not known`:             {"--engine", "frob"},
		"an amount such as 800MB":                {"--memory", "much"},
		"unknown command":                        {"jobs.json"},
	} {
		status := 0
		var out, errs bytes.Buffer
		status = run(context.Background(), append([]string{"worker"}, args...), iotestNeverRead{t}, &out, &errs)
		if status != 1 || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), want) {
			t.Errorf("%q: status %d, %q, %q", args, status, out.String(), errs.String())
		}
	}
}

type iotestNeverRead struct{ t *testing.T }

func (r iotestNeverRead) Read([]byte) (int, error) {
	r.t.Error("a job is read")
	return 0, io.EOF
}

// The scores are those of "srdiff eval --set".
func TestWorkerEvaluates(t *testing.T) {
	_, refiner := predictorAndRefiner(t)
	status, out, errs := command("eval", "--engine", "go", "--set", pairs, "--model", refiner, "--seed", "5", "--json")
	var report benchset.Report
	if status != 0 || json.Unmarshal([]byte(out), &report) != nil {
		t.Fatalf("status %d, %s", status, errs)
	}
	for i, name := range report.Pictures {
		job := fmt.Sprintf(`{"job":"evaluate","input":"%[1]s/%[2]s_LR.png","original":"%[1]s/%[2]s_HR.png","seed":5,"model":%[3]q}`, pairs, name, refiner)
		r, want := worked(t, nil, job)[0], report.Rows[1].Pictures[i]
		if !r.OK || r.PSNR != want.PSNR || r.SSIM != want.SSIM || r.LRPSNR != want.LRPSNR {
			t.Errorf("%s: %+v, want %+v", name, r, want)
		}
	}
}

// The mean and the spread are those of the results that "srdiff upscale" writes with the seeds, up to
// their rounding.
func TestWorkerSamples(t *testing.T) {
	_, refiner := predictorAndRefiner(t)
	dir, in := t.TempDir(), write(t, "in.png", pngOf(scene(9, 7)))
	const samples, seed = 5, 40
	var results []imaging.Picture
	for k := range samples {
		results = append(results, imaging.FromImage(enlarged(t, in, "--engine", "go", "--model", refiner, "--seed", fmt.Sprint(seed+k), "--scale", "3")))
	}
	mean, spread := filepath.Join(dir, "mean.tif"), filepath.Join(dir, "spread.png")
	job := line(in, mean, fmt.Sprintf(`"job":"sample","spread":%q,"samples":%d,"seed":%d,"scale":3,"model":%q`, spread, samples, seed, refiner))
	first, again := worked(t, nil, job)[0], worked(t, nil, job)[0]
	if !first.OK || !first.New || !again.OK || again.New {
		t.Fatalf("%+v, and again %+v", first.Failure, again)
	}
	if *first.Spread != *again.Spread || first.SHA256 != again.SHA256 {
		t.Errorf("%+v is kept as %+v", *first.Spread, *again.Spread)
	}
	diversity, err := metrics.Diversity(results...)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(first.Mean-diversity) > 0.3/255 || !(first.Mean > 1./255) {
		t.Errorf("the mean spread is %g, and that of the files %g", first.Mean, diversity)
	}
	got, deviation := imaging.FromImage(opened(t, mean)), opened(t, spread)
	if size := image.Pt(27, 21); deviation.Bounds().Size() != size || image.Pt(got.Width, got.Height) != size || image.Pt(first.Width, first.Height) != size {
		t.Fatalf("sizes of %v, %dx%d, %dx%d", deviation.Bounds(), got.Width, got.Height, first.Width, first.Height)
	}
	for i := range got.Pix {
		sum, squares := 0., 0.
		for _, r := range results {
			sum += float64(r.Pix[i])
		}
		for _, r := range results {
			squares += math.Pow(float64(r.Pix[i])-sum/samples, 2)
		}
		if d := math.Abs(float64(got.Pix[i]) - sum/samples); d > 2.1/255 {
			t.Fatalf("value %d of the mean is %g, want %g", i, got.Pix[i], sum/samples)
		}
		red, green, blue, _ := deviation.At(i/3%27, i/3/27).RGBA()
		v := float64([]uint32{red, green, blue}[i%3]) / 0xffff
		if want := math.Sqrt(squares/(samples-1)) / 2; math.Abs(v-want) > 1./255 {
			t.Fatalf("value %d of the spread is %g, want %g", i, v, want)
		}
	}
	// A result without its spread is made again, and another number of samples is another result.
	if err := os.Remove(spread); err != nil {
		t.Fatal(err)
	}
	if r := worked(t, nil, job)[0]; !r.OK || !r.New {
		t.Errorf("without the spread: %+v", r)
	}
	if r := worked(t, nil, strings.Replace(job, `"samples":5`, `"samples":4`, 1))[0]; !r.OK || !r.New {
		t.Errorf("other samples: %+v", r)
	}
}

// Pictures go from object to object.
func TestWorkerURLs(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	in := filepath.Join(dir, "a b.png")
	put(t, in, 5)
	args := []string{"--model", model}
	list := worked(t, args,
		line("file://"+filepath.ToSlash(dir)+"/a%20b.png", "mem://one/x/a.png", ""),
		line("mem://one/x/a.png", "mem://two/b.jpg", `"seed":9,"quality":80`),
		line("mem://two/b.jpg", filepath.Join(dir, "c.png"), ""),
		line("mem://one/x/a.png", "mem://one/x/%61.png", ""))
	for i, r := range list[:3] {
		if !r.OK || !r.New || r.Width != 5*int(math.Pow(4, float64(i+1))) {
			t.Errorf("job %d: %+v, %+v", i, r.Made, r.Failure)
		}
	}
	if r := list[3]; r.OK || r.Kind != worker.BadJob {
		t.Errorf("over its input: %+v", r)
	}
	seed := fmt.Sprint(crc32.ChecksumIEEE([]byte("a b.png")))
	out := filepath.Join(dir, "upscale.png")
	if status, _, errs := command("upscale", "--engine", "go", "--model", model, "--seed", seed, in, "-o", out); status != 0 {
		t.Fatal(errs)
	}
	if hash, err := hashOf(out); err != nil || list[0].SHA256 != hash {
		t.Errorf("the object is not what upscale writes, %v", err)
	}
}
