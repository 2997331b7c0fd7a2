// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/networks"
)

// asCommand makes the test binary behave as the command, with its files limited to so many bytes.
const asCommand = "SRDIFF_TEST_FILE_LIMIT"

// asProgram makes the test binary behave as the command.
const asProgram = "SRDIFF_TEST_PROGRAM"

// keepStatus names a file to which a test binary that behaves as the command writes Linux's status of
// its process in the end. The peak in a child's rusage is no use: it includes the parent's memory at
// the time of the fork.
const keepStatus = "SRDIFF_TEST_STATUS"

// program is the command as a program of its own.
func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func TestMain(m *testing.M) {
	if limit := os.Getenv(asCommand); limit != "" {
		limitFiles()
		main()
	}
	if path := os.Getenv(keepStatus); path != "" {
		code := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		status, err := os.ReadFile("/proc/self/status")
		if err := errors.Join(err, os.WriteFile(path, status, 0o666)); err != nil {
			panic(err)
		}
		os.Exit(code)
	}
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// command runs the command line and returns its exit status and what it printed.
func command(args ...string) (status int, stdout, stderr string) {
	return commandIn(context.Background(), args...)
}

func commandIn(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(ctx, args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// tiny writes a model that samples in a moment, and returns its path.
func tiny(t *testing.T) string {
	t.Helper()
	eng, err := engine.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	m, err := srdiff.NewModel(eng.Backend, srdiff.Config{Diffusion: diffusion.Config{Timesteps: 3}, Network: networks.Config{BaseChannels: 4}, Training: srdiff.TrainingConfig{ImageSize: 16}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tiny.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, name string, encode func(io.Writer) error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// scene is a picture with some content.
func scene(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		img.SetNRGBA(i%width, i/width, color.NRGBA{uint8(i * 7), uint8(i * 3), uint8(200 - i), 255})
	}
	return img
}

func pngOf(img image.Image) func(io.Writer) error {
	return func(w io.Writer) error { return png.Encode(w, img) }
}

func TestSchedule(t *testing.T) {
	status, out, errs := command("schedule", "--kind", "linear", "--timesteps", "1000", "--beta-start", "1e-4",
		"--beta-end", "0.02", "--json")
	if status != 0 {
		t.Fatal(errs)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	bars := got["alpha_bars"].([]any)
	if got["kind"] != "linear" || got["timesteps"] != 1000.0 || len(got["betas"].([]any)) != 1000 ||
		len(got["alphas"].([]any)) != 1000 || math.Abs(bars[499].(float64)-0.07858724288177824) > 1e-12 {
		t.Errorf("got kind %v, timesteps %v, alpha_bar[499] %v", got["kind"], got["timesteps"], bars[499])
	}
}

// Every mistake gives one line that says what is wrong, a status other than 0, and no file.
func TestMistakes(t *testing.T) {
	model := tiny(t)
	good := write(t, "in.png", pngOf(scene(4, 4)))
	truncated := write(t, "cut.png", func(w io.Writer) error {
		var b bytes.Buffer
		if err := png.Encode(&b, scene(40, 40)); err != nil {
			return err
		}
		_, err := w.Write(b.Bytes()[:b.Len()/2])
		return err
	})
	text := write(t, "text.png", func(w io.Writer) error { _, err := io.WriteString(w, "hello"); return err })
	huge := write(t, "huge.png", func(w io.Writer) error { // a header that promises 60000x60000 pixels, and nothing more
		var b bytes.Buffer
		if err := png.Encode(&b, scene(1, 1)); err != nil {
			return err
		}
		header := b.Bytes()
		copy(header[16:24], []byte{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60})
		copy(header[29:33], crcOf(header[12:29]))
		_, err := w.Write(header)
		return err
	})
	large := write(t, "large.png", pngOf(image.NewGray(image.Rect(0, 0, 2501, 2500))))
	photograph := write(t, "photograph.png", pngOf(image.NewGray(image.Rect(0, 0, 300, 300))))
	cut := write(t, "cut.safetensors", func(w io.Writer) error {
		data, err := os.ReadFile(model)
		if err != nil {
			return err
		}
		_, err = w.Write(data[:len(data)/2])
		return err
	})
	empty := t.TempDir()
	for _, test := range []struct {
		want string
		args []string
	}{
		{"no such file", []string{"upscale", "--model", model, "none.png"}},
		{"no such file", []string{"upscale", "--model", "none.safetensors", good}},
		{"cut short", []string{"upscale", "--model", model, truncated}},
		{"not a picture", []string{"upscale", "--model", model, text}},
		{"60000x60000", []string{"upscale", "--model", model, huge}},
		{"at most 100000000 pixels", []string{"upscale", "--model", model, large}},
		{"0.1GB are allowed", []string{"upscale", "--model", model, "--memory", "100MB", photograph}},
		{"an amount such as 800MB", []string{"upscale", "--model", model, "--memory", "much", good}},
		{"safetensors file cut short", []string{"upscale", "--model", cut, good}},
		{"name that ends in .png, .jpg, .webp or .tif", []string{"upscale", "--model", model, good, "-o", "out.gif"}},
		{"requires at least 1 arg(s)", []string{"upscale", "--model", model}},
		{"no such file; the models in srdiff are photo, clean, detail", []string{"upscale", "--model", "cleen", good}},
		{`engine "xyz" is not known`, []string{"upscale", "--engine", "xyz", "--model", model, good}},
		{"beta_start 0.5 is greater than beta_end 0.02", []string{"schedule", "--beta-start", "0.5"}},
		{"beta_end is 1.5", []string{"schedule", "--beta-end", "1.5"}},
		{"greater than 0", []string{"schedule", "--beta-start", "-1"}},
		{"greater than 0", []string{"schedule", "--timesteps", "0"}},
		{`schedule is "cubic"`, []string{"schedule", "--kind", "cubic"}},
		{"unknown flag: --frob", []string{"schedule", "--frob"}},
		{"unknown command", []string{"frob"}},
		{"greater than 0", []string{"train", "--batch", "0", "--data", "generated", "--out", empty}},
		{"greater than 0", []string{"train", "--lr", "NaN", "--data", "generated", "--out", empty}},
		{"beta_start 0.5 is greater", []string{"train", "--beta-start", "0.5", "--data", "generated", "--out", empty}},
		{"image size is 30", []string{"train", "--size", "30", "--data", "generated", "--out", empty}},
		{"generated", []string{"train", "--data", "nonsense", "--out", empty}},
		{"nothing to resume", []string{"train", "--resume", "--data", "generated", "--out", empty}},
		{empty, []string{"train", "--data", "images:" + empty, "--out", filepath.Join(empty, "run")}},
		{empty, []string{"eval", "--model", model, "--data", "images:" + empty}},
		{"greater than 0", []string{"eval", "--model", model, "--data", "generated", "--count", "0"}},
		{"eta is 2", []string{"upscale", "--model", model, good, "--sampler", "ddim", "--eta", "2"}},
		{"has no eta", []string{"upscale", "--model", model, good, "--eta", "0.5"}},
		{"greater than 0", []string{"upscale", "--model", model, good, "--sampling-steps", "0"}},
		{"from 1 to the model's 3 timesteps", []string{"upscale", "--model", model, good, "--sampling-steps", "4"}},
		{`sampler is "euler"`, []string{"eval", "--model", model, "--data", "generated", "--sampler", "euler"}},
		{`spacing is "log"`, []string{"upscale", "--model", model, good, "--spacing", "log"}},
		{"some of its conditions dropped", []string{"upscale", "--model", model, good, "--guidance", "2"}},
		{"predicts eps, not v", []string{"upscale", "--model", model, good, "--prediction", "v"}},
		{"was trained with none", []string{"upscale", "--model", model, good, "--input-noise", "0.1"}},
		{"predict v or x0", []string{"train", "--zero-snr", "--data", "generated", "--out", empty}},
		{"between 0 and 1, or off", []string{"train", "--ema", "1", "--data", "generated", "--out", empty}},
		{`loss is "l3"`, []string{"train", "--loss", "l3", "--data", "generated", "--out", empty}},
		{"eta is -1", []string{"train", "--sampler", "ddim", "--eta", "-1", "--data", "generated", "--out", empty}},
	} {
		status, out, errs := command(test.args...)
		if status == 0 || !strings.Contains(errs, test.want) || strings.Count(strings.TrimSpace(errs), "\n") > 0 ||
			!strings.HasPrefix(errs, "srdiff: ") || out != "" {
			t.Errorf("srdiff %s\nstatus %d, printed %q and %q, want one line with %q",
				strings.Join(test.args, " "), status, out, errs, test.want)
		}
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestSameSeedSameFile(t *testing.T) {
	model := tiny(t)
	in := write(t, "in.png", pngOf(scene(4, 4)))
	result := func(seed string) []byte {
		out := filepath.Join(t.TempDir(), "out.png")
		if status, _, errs := command("upscale", "--model", model, "--seed", seed, "-o", out, in); status != 0 {
			t.Fatal(errs)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if a := result("1"); !bytes.Equal(a, result("1")) || bytes.Equal(a, result("2")) {
		t.Error("the same seed must give the same file, another seed another")
	}
}

// tinyRun are flags for a run of seconds.
var tinyRun = []string{"train", "--data", "generated", "--base-channels", "4", "--size", "16", "--batch", "2", "--timesteps", "4"}

// A run without --data trains on the photographs that the program embeds.
func TestTrainOnPhotographs(t *testing.T) {
	args := []string{"train", "--out", filepath.Join(t.TempDir(), "run"), "--train-steps", "1"}
	status, _, errs := command(append(args, tinyRun[3:]...)...)
	if status != 0 || !strings.Contains(errs, "16x16 crops of 288 photographs") {
		t.Errorf("status %d, %q", status, errs)
	}
}

func TestTrainResumeEval(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	args := append(tinyRun, "--out", dir, "--train-steps")
	if status, _, errs := command(append(args, "3")...); status != 0 {
		t.Fatal(errs)
	}
	for _, name := range []string{srdiff.ModelFile, srdiff.MetricsFile, srdiff.TrainingFile, "samples-000003.png"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if status, _, errs := command(append(args, "5")...); status == 0 || !strings.Contains(errs, "at step 3: add --resume") {
		t.Errorf("a second run in the same folder: status %d, %q", status, errs)
	}
	if status, _, errs := command(append(args, "5", "--resume", "--seed", "9")...); status == 0 ||
		!strings.Contains(errs, "--seed is not what the run") {
		t.Errorf("resuming with another seed: status %d, %q", status, errs)
	}
	if status, _, errs := command(append(args, "5", "--resume")...); status != 0 || !strings.Contains(errs, "at step 3 of 5") {
		t.Errorf("resuming: status %d, %q", status, errs)
	}
	model := filepath.Join(dir, srdiff.ModelFile)
	status, out, errs := command("eval", "--model", model, "--data", "generated", "--count", "3", "--json")
	if status != 0 {
		t.Fatal(errs)
	}
	var got evaluation
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	// An untrained network makes noise; interpolation is near the original.
	if !(got.Bilinear.PSNR > got.Model.PSNR) || !(got.Bicubic.SSIM > 0.3) || got.Count != 3 || got.SSIM == "" ||
		!(got.Bilinear.Consistency < got.Model.Consistency) {
		t.Errorf("got %+v", got)
	}
	if status, out, _ := command("eval", "--model", model, "--data", "generated", "--count", "1"); status != 0 ||
		!strings.Contains(out, "bicubic") {
		t.Errorf("table: status %d, %q", status, out)
	}
}

// compilesMuch skips a test with -short, since it has many programs, which take XLA seconds each to compile.
func compilesMuch(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it has many programs to compile")
	}
}

// Everything of the toolbox from the command line, on a tiny model: what was trained with it can be
// sampled with it, resumed and measured.
func TestToolbox(t *testing.T) {
	compilesMuch(t)
	dir := filepath.Join(t.TempDir(), "run")
	args := append(tinyRun, "--out", dir, "--kind", "cosine", "--zero-snr", "--prediction", "v", "--min-snr-gamma", "5",
		"--loss", "huber", "--drop-condition", "0.5", "--flip", "--warm-up", "2", "--decay", "4", "--clip-norm", "1",
		"--accumulate", "2", "--ema", "0.9", "--degradation", "bicubic", "--blur", "1", "--noise", "0.1")
	sampling := []string{"--sampler", "ddim", "--sampling-steps", "2", "--eta", "0.5", "--spacing", "linspace", "--guidance", "1.5",
		"--guidance-rescale", "0.5", "--guidance-from", "1", "--guidance-to", "4", "--clip", "dynamic", "--input-noise", "0.05"}
	args = append(args, sampling...)
	if status, _, errs := command(append(args, "--train-steps", "2")...); status != 0 {
		t.Fatal(errs)
	}
	if status, _, errs := command(append(args, "--train-steps", "6", "--resume")...); status != 0 ||
		!strings.Contains(errs, "at step 2 of 6") {
		t.Fatalf("status %d, %q", status, errs)
	}
	status, _, errs := command(append(args, "--train-steps", "8", "--resume", "--ema", "off")...)
	if status == 0 || !strings.Contains(errs, "--ema is not what the run") {
		t.Errorf("resuming without averages: status %d, %q", status, errs)
	}
	model := filepath.Join(dir, srdiff.ModelFile)
	in, out := write(t, "in.png", pngOf(scene(4, 4))), filepath.Join(t.TempDir(), "out.png")
	status, _, errs = command(append([]string{"upscale", "--model", model, "--prediction", "v", in, "-o", out}, sampling...)...)
	if status != 0 {
		t.Error(errs)
	}
	status, _, errs = command("eval", "--model", model, "--data", "generated", "--count", "1", "--sampler", "dpmpp2m",
		"--sampling-steps", "3")
	if status != 0 {
		t.Error(errs)
	}
	status, stdout, errs := command("schedule", "--kind", "cosine", "--zero-snr", "--json")
	if status != 0 || !strings.Contains(stdout, `"zero_snr":true`) {
		t.Errorf("status %d, %.200q %q", status, stdout, errs)
	}
}

// A predictor and a refiner train with the degradation of real pictures at any factor, resume, and are
// measured and used.
func TestTrainForPhotos(t *testing.T) {
	compilesMuch(t)
	for factor, predictor := range map[string]bool{"4": true, "3": true, "2": false} {
		dir := filepath.Join(t.TempDir(), "run")
		args := []string{"train", "--data", "generated", "--size", "24", "--batch", "2", "--blocks", "1", "--base-channels", "4",
			"--factor", factor, "--degradation", "photo", "--out", dir}
		if predictor {
			args = append(args, "--network", "pixelshuffle", "--prediction", "regression")
		} else {
			args = append(args, "--network", "residual", "--predictor", "pixelshuffle", "--sampler", "ddim", "--sampling-steps", "1")
		}
		for _, more := range [][]string{{"--train-steps", "2"}, {"--train-steps", "4", "--resume"}} {
			if status, _, errs := command(append(args, more...)...); status != 0 {
				t.Fatalf("factor %s: %s", factor, errs)
			}
		}
		model := filepath.Join(dir, srdiff.ModelFile)
		status, _, errs := command("eval", "--model", model, "--data", "generated", "--count", "2", "--sampling-steps", "1")
		if status != 0 {
			t.Errorf("factor %s: %s", factor, errs)
		}
		in, out := write(t, "in.png", pngOf(scene(8, 8))), filepath.Join(t.TempDir(), "out.png")
		if status, _, errs := command("upscale", "--model", model, "--sampling-steps", "1", in, "-o", out); status != 0 {
			t.Errorf("factor %s: %s", factor, errs)
		}
		status, _, errs = command(append(args, "--train-steps", "6", "--resume", "--degradation", "area")...)
		if status == 0 || !strings.Contains(errs, "--degradation is not what the run") {
			t.Errorf("factor %s: another degradation: status %d, %q", factor, status, errs)
		}
	}
	status, _, errs := command(append(tinyRun, "--out", t.TempDir(), "--degradation", "photo", "--blur", "1")...)
	if status == 0 || !strings.Contains(errs, "omit kernel, blur, noise and strength") {
		t.Errorf("photo with a blur: status %d, %q", status, errs)
	}
}

// A refiner starts with the weights of another refiner and of another predictor.
func TestTrainFromSeveral(t *testing.T) {
	compilesMuch(t)
	train := func(args ...string) (model, log string) {
		dir := filepath.Join(t.TempDir(), "run")
		args = append([]string{"train", "--data", "generated", "--size", "16", "--batch", "2", "--train-steps", "2", "--out", dir}, args...)
		status, _, errs := command(args...)
		if status != 0 {
			t.Fatal(errs)
		}
		return filepath.Join(dir, srdiff.ModelFile), errs
	}
	refines := []string{"--network", "residual", "--predictor", "pixelshuffle", "--prediction", "v", "--sampler", "ddim", "--sampling-steps", "1"}
	predictor, _ := train("--network", "pixelshuffle", "--prediction", "regression", "--seed", "1")
	refiner, _ := train(append(refines, "--seed", "2")...)
	both, log := train(append(refines, "--seed", "3", "--lr", "1e-30", "--from", refiner, "--from", predictor)...)
	for _, from := range []string{refiner, predictor} {
		if !strings.Contains(log, " from "+from) {
			t.Errorf("%q does not name %s", log, from)
		}
	}
	weightsOf := func(path string) map[string]*tensors.Tensor {
		file, err := checkpoint.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		return file.Tensors
	}
	ofPredictor, ofRefiner := weightsOf(predictor), weightsOf(refiner)
	for name, got := range weightsOf(both) {
		want := ofRefiner[name]
		if rest, of := strings.CutPrefix(name, "predictor."); of {
			want = ofPredictor[rest]
		}
		if want == nil || !want.InDelta(got, 1e-6) {
			t.Errorf("%s is not that of its file", name)
		}
	}
}

// A folder with a model that is no training run of ours is left as it is.
func TestTrainKeepsWhatIsThere(t *testing.T) {
	for _, name := range []string{srdiff.ModelFile, srdiff.TrainingFile} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
		status, _, errs := command(append(tinyRun, "--out", dir, "--train-steps", "2")...)
		if status == 0 || !strings.Contains(errs, "holds a "+name) {
			t.Errorf("%s: status %d, %q", name, status, errs)
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != "precious" {
			t.Errorf("%s is now %q, %v", name, kept, err)
		}
	}
}

// An interrupt saves and stops within 3 seconds, and says how to go on.
func TestInterruptSaves(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	var stopped time.Time
	go func() { // once it trains, since a program is compiled to the end
		for metrics := filepath.Join(dir, srdiff.MetricsFile); ; time.Sleep(50 * time.Millisecond) {
			if info, err := os.Stat(metrics); err == nil && info.Size() > 0 {
				stopped = time.Now()
				stop()
				return
			}
		}
	}()
	status, _, errs := commandIn(ctx, append(tinyRun, "--out", dir, "--train-steps", "10000000")...)
	took := time.Since(stopped)
	if status != interrupted || !strings.Contains(errs, "--resume continues from there") || took > 3*time.Second {
		t.Errorf("status %d after %v, %q", status, took, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, srdiff.ModelFile)); err != nil {
		t.Error(err)
	}
}

// Writes that fail, as on a full disk, end in one line, and leave no half-written file.
func TestFullDisk(t *testing.T) {
	if !canLimitFiles {
		t.Skip("this system has no limit for files")
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], append(tinyRun, "--out", dir, "--train-steps", "2")...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := lines[len(lines)-1]; err == nil || !strings.HasPrefix(last, "srdiff: write "+dir) ||
		!strings.Contains(last, "file too large") {
		t.Errorf("got %v, %q", err, out)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		if entry.Name() != srdiff.MetricsFile {
			t.Errorf("left behind: %s", entry.Name())
		}
	}
}

func TestDoctor(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", folder)
	plugin := filepath.Join(folder, "pjrt_c_api_cuda_plugin.so")
	if err := os.WriteFile(plugin, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cuda := plugin
	if !engine.HasXLA {
		cuda = "not part of this program: it was built without cgo"
	}
	status, out, _ := command("doctor", "--engine", "go")
	for _, want := range []string{
		"engine       go: GoMLX's pure-Go engine", "xla:cuda     " + cuda, "xla:cpu      ", "gpu ", "processor", "go1.",
	} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("status %d, printed %q, want %q in it", status, out, want)
		}
	}
}

func TestEngineInstallRefuses(t *testing.T) {
	for _, args := range [][]string{{"engine", "install"}, {"engine", "install", "tpu"}, {"engine", "install", "cpu", "cuda"}} {
		status, out, errs := command(args...)
		if status != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "engine install cuda") {
			t.Errorf("%q: status %d, printed %q and %q, want one line that says what can be installed", args, status, out, errs)
		}
	}
}

func crcOf(chunk []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk))
}
