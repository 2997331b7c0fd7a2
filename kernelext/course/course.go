// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package course has what the cells of the course share: the engine, the models and the photographs
// beside the notebooks, and short forms of what most cells do. The names are the tutorial's: x_0 is a
// batch of pictures, y its low-resolution condition, eps the noise. Every function ends the cell with
// one clear line if something is wrong, as kernelext.Check does.
package course

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"sync"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/image/draw"

	"github.com/srdiff/srlab/kernelext"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Engine is the fastest engine of this machine, opened once for each cell.
var Engine = sync.OnceValue(func() *engine.Engine { return kernelext.Must(engine.Open("auto")) })

// pureGo runs small graphs: it starts at once, since it compiles nothing.
var pureGo = sync.OnceValue(func() *engine.Engine { return kernelext.Must(engine.Open("go")) })

// Quick returns n, or fewer on the pure-Go engine, where training is several times slower. It prints
// the smaller number.
func Quick(what string, n, onGo int) int {
	if Engine().Name != "go" {
		return n
	}
	fmt.Printf("%s: %d in place of %d, because the engine is pure Go\n", what, onGo, n)
	return onGo
}

// New makes an untrained model.
func New(config srdiff.Config) *srdiff.Model {
	return kernelext.Must(srdiff.NewModel(Engine().Backend, config))
}

// Load reads a model from models/NAME.safetensors.
func Load(name string) *srdiff.Model {
	return LoadFile(filepath.Join("models", name+".safetensors"))
}

// LoadFile reads a model file.
func LoadFile(path string) *srdiff.Model {
	return kernelext.Must(srdiff.Load(Engine().Backend, path))
}

// Schedule makes a noise schedule; the zero value is the tutorial's.
func Schedule(config diffusion.Config) *diffusion.Schedule {
	return kernelext.Must(diffusion.NewSchedule(config))
}

// Training opens crops of 32x32 pixels of the photographs in photos/train.
func Training() dataset.Source { return open(false) }

// HeldOut opens crops of 32x32 pixels of the photographs in photos/test, which no model has seen.
func HeldOut() dataset.Source { return open(true) }

func open(heldOut bool) dataset.Source {
	ctx, cancel := kernelext.Context()
	defer cancel()
	spec := map[bool]string{false: "photos:photos/train", true: "photos:photos/test"}[heldOut]
	return kernelext.Must(dataset.Open(ctx, spec, dataset.Options{Seed: 3, HeldOut: heldOut}))
}

// Train trains a model for so many steps on the photographs, with a live chart of the loss. The
// interrupt button stops it and keeps what it has learned.
func Train(m *srdiff.Model, steps int) {
	ctx, cancel := kernelext.Context()
	defer cancel()
	monitor := kernelext.NewMonitor("training")
	err := m.Train(ctx, Training(), steps, "", func(p srdiff.Progress) {
		monitor.Update(p.Step, p.Steps, p.Loss, fmt.Sprintf("%.0f images/s", p.ImagesPerSecond))
	})
	monitor.Done("")
	if ctx.Err() == nil {
		kernelext.Check(err)
	}
}

// Losses trains a model for so many steps as [Train] does, with a bar of its progress, and returns the
// loss of each step. The interrupt button stops it.
func Losses(m *srdiff.Model, name string, steps int) (losses []float64) {
	ctx, cancel := kernelext.Context()
	defer cancel()
	progress := kernelext.NewProgress("training: " + name)
	err := m.Train(ctx, Training(), steps, "", func(p srdiff.Progress) {
		losses = append(losses, p.Loss)
		progress.Update(p.Step, p.Steps, "")
	})
	progress.Done("")
	kernelext.Check(err)
	return losses
}

// Sample draws a picture for each of the low-resolution ones. A bar shows its progress, if that takes
// longer than a second.
func Sample(m *srdiff.Model, o srdiff.SampleOptions, low ...imaging.Picture) []imaging.Picture {
	ctx, cancel := kernelext.Context()
	defer cancel()
	bar, each := lateBar("sampling", time.Second), o.Each
	o.Each = func(s srdiff.SampleStep) {
		bar.update(s.Done, s.Steps)
		if each != nil {
			each(s)
		}
	}
	made, err := m.Sample(ctx, o, low...)
	bar.done()
	kernelext.Check(err)
	return made
}

// late is a bar of progress that appears after a while, if the work still runs.
type late struct {
	*kernelext.Progress
	from    time.Time
	visible bool
}

func lateBar(title string, after time.Duration) *late {
	return &late{Progress: kernelext.NewProgress(title), from: time.Now().Add(after)}
}

func (l *late) update(done, total int) {
	if l.visible = l.visible || time.Now().After(l.from); l.visible {
		l.Update(done, total, "")
	}
}

func (l *late) done() {
	if l.visible {
		l.Done("")
	}
}

// Noise returns normal noise of the shape of x_0. The same seed gives the same noise.
func Noise(seed int64, x0 *tensors.Tensor) *tensors.Tensor {
	return Call(func(x0, rng *graph.Node) *graph.Node {
		_, eps := diffusion.Normal(rng, x0.Shape())
		return eps
	}, x0, Seed(seed))
}

// Seed returns the state of a random generator.
func Seed(seed int64) *tensors.Tensor { return kernelext.Must(graph.RNGStateFromSeed(seed)) }

// Call computes a function of nodes, without a model.
func Call[F graph.ExecGraphFnOneOutput](f F, inputs ...any) *tensors.Tensor {
	localInputs(inputs)
	return local(kernelext.Must(graph.CallOnce(pureGo().Backend, f, inputs...)))[0]
}

// Compile makes a function of nodes with one result ready for many calls, without a model.
func Compile[F graph.ExecGraphFnOneOutput](f F) func(inputs ...any) *tensors.Tensor {
	exec := kernelext.Must(graph.NewExec(pureGo().Backend, f))
	return func(inputs ...any) *tensors.Tensor {
		localInputs(inputs)
		return local(kernelext.Must(exec.Call1(inputs...)))[0]
	}
}

// Program makes a function of nodes that uses a model's weights ready for many calls.
func Program(m *srdiff.Model, f func(scope *nn.Scope, in []*graph.Node) []*graph.Node) func(inputs ...any) []*tensors.Tensor {
	exec := kernelext.Must(m.NewExec(f))
	return func(inputs ...any) []*tensors.Tensor {
		localInputs(inputs)
		return local(kernelext.Must(exec.Call(inputs...))...)
	}
}

// local brings tensors into this program's memory, where every engine can use them.
func local(batch ...*tensors.Tensor) []*tensors.Tensor {
	for _, t := range batch {
		kernelext.Check(t.ToLocal())
	}
	return batch
}

// localInputs does so with what an engine has kept of an earlier call.
func localInputs(inputs []any) {
	for _, input := range inputs {
		if t, ok := input.(*tensors.Tensor); ok {
			local(t)
		}
	}
}

// Film records the states of a trajectory: at so many of its steps, x_t and the x_0 predicted from it.
// Give its Record to SampleOptions.Each, and show it afterwards.
type Film struct {
	Frames   int // 8
	captions []string
	xt, x0   []image.Image
}

// Record adds a state to the film, if its turn has come.
func (f *Film) Record(s srdiff.SampleStep) {
	frames := cmp.Or(f.Frames, 8)
	if (s.Done-1)*(frames-1)/max(1, s.Steps-1) < len(f.xt) && s.Done < s.Steps || len(f.xt) >= frames {
		return
	}
	f.captions = append(f.captions, fmt.Sprintf("t = %d", s.T))
	f.xt, f.x0 = append(f.xt, Images(s.X)[0]), append(f.x0, Images(s.X0)[0])
}

// Show shows two rows: x after each step, and the x_0 that was predicted in it.
func (f *Film) Show() {
	captions := append([]string{}, f.captions...)
	for _, c := range f.captions {
		captions = append(captions, "predicted x_0, "+c)
	}
	kernelext.Grid(len(f.xt), captions, append(append([]image.Image{}, f.xt...), f.x0...)...)
}

// Tensor returns pictures as a batch x_0, [batch, height, width, 3].
func Tensor(pictures ...imaging.Picture) *tensors.Tensor {
	return kernelext.Must(srdiff.Tensor(pictures...))
}

// Split returns the pictures of a batch: it undoes [Tensor].
func Split(batch *tensors.Tensor) []imaging.Picture { return kernelext.Must(srdiff.Pictures(batch)) }

// Batch returns n crops of a source as a batch x_0, [n, 32, 32, 3].
func Batch(source dataset.Source, n int) *tensors.Tensor {
	return kernelext.Must(dataset.Batch(source, n, 0))
}

// Images returns the pictures of batches, one after the other.
func Images(batches ...*tensors.Tensor) (images []image.Image) {
	for _, batch := range batches {
		images = append(images, Pictures(Split(batch)...)...)
	}
	return images
}

// Pictures returns pictures as Go's images.
func Pictures(pictures ...imaging.Picture) (images []image.Image) {
	for _, p := range pictures {
		images = append(images, p.Image())
	}
	return images
}

// Large returns a picture magnified by a whole factor.
func Large(p imaging.Picture, factor int) image.Image {
	large := image.NewNRGBA(image.Rect(0, 0, factor*p.Width, factor*p.Height))
	draw.NearestNeighbor.Scale(large, large.Rect, p.Image(), image.Rect(0, 0, p.Width, p.Height), draw.Src, nil)
	return large
}

// Low returns the low-resolution pictures of a model, 4 times smaller in each direction.
func Low(m *srdiff.Model, high ...imaging.Picture) (low []imaging.Picture) {
	for _, p := range high {
		low = append(low, m.Config.Degradation.Picture(p, m.Config.Factor))
	}
	return low
}

// Bicubic and Bilinear enlarge pictures 4 times in each direction by interpolation.
func Bicubic(low ...imaging.Picture) []imaging.Picture  { return enlarge(imaging.Bicubic, low) }
func Bilinear(low ...imaging.Picture) []imaging.Picture { return enlarge(imaging.Bilinear, low) }

func enlarge(by func(imaging.Picture, int, int) imaging.Picture, low []imaging.Picture) (high []imaging.Picture) {
	for _, p := range low {
		high = append(high, by(p, 4*p.Width, 4*p.Height))
	}
	return high
}

// PSNR returns the mean over pictures of the PSNR against the originals, in dB.
func PSNR(results, originals []imaging.Picture) (mean float64) {
	for i, p := range results {
		mean += kernelext.Must(metrics.PSNR(p, originals[i])) / float64(len(results))
	}
	return mean
}

// LRPSNR returns the mean over pictures of the LR-PSNR in dB: how close a result is to its input once
// it is made small again.
func LRPSNR(results, low []imaging.Picture, by degrade.Config) (mean float64) {
	for i, p := range results {
		mean += kernelext.Must(metrics.PSNR(by.Picture(p, 4), low[i])) / float64(len(results))
	}
	return mean
}

// Sharpness returns the mean squared gradient of results as a share of the originals'.
func Sharpness(results, originals []imaging.Picture) float64 {
	of := func(pictures []imaging.Picture) (sum float64) {
		for _, p := range pictures {
			sum += kernelext.Must(metrics.Sharpness(p))
		}
		return sum
	}
	return of(results) / of(originals)
}

// Row is a named row of pictures in a sheet.
type Row struct {
	Name     string
	Pictures []imaging.Picture
}

// Compare shows rows of results below their originals and inputs. Each picture has its PSNR and
// LR-PSNR below it. A single photograph and its results are shown side by side.
func Compare(high, low []imaging.Picture, by degrade.Config, rows ...Row) {
	images, captions := Pictures(high...), names("original", len(high), nil)
	images = append(images, Pictures(low...)...)
	captions = append(captions, names(fmt.Sprintf("LR input, %dx%d", low[0].Width, low[0].Height), len(low), nil)...)
	for _, row := range rows {
		images = append(images, Pictures(row.Pictures...)...)
		captions = append(captions, names(row.Name, len(row.Pictures), func(i int) string {
			one := row.Pictures[i : i+1]
			return fmt.Sprintf("\n%.1f dB, LR\u00a0%.0f\u00a0dB", PSNR(one, high[i:i+1]), LRPSNR(one, low[i:i+1], by))
		})...)
	}
	columns, over := len(high), fmt.Sprintf("%d photographs", len(high))
	if columns == 1 {
		columns, over = len(images), "one photograph"
	}
	kernelext.Grid(columns, captions, images...)
	for _, row := range rows {
		fmt.Printf("%-24s mean PSNR %.2f dB, LR-PSNR %.1f dB, over %s\n", row.Name,
			PSNR(row.Pictures, high), LRPSNR(row.Pictures, low, by), over)
	}
}

func names(name string, n int, more func(i int) string) []string {
	captions := make([]string, n)
	for i := range captions {
		captions[i] = name
		if more != nil {
			captions[i] += more(i)
		}
	}
	return captions
}

// Heat returns a map of numbers, at least 0, as a picture: black for 0, by red and yellow to white for
// most and above.
func Heat(values []float64, width int, most float64) imaging.Picture {
	p := imaging.New(width, len(values)/width)
	for i, v := range values {
		heat := 3 * math.Max(0, v) / most
		for c := range 3 {
			p.Pix[3*i+c] = float32(2*math.Min(1, math.Max(0, heat-float64(c))) - 1)
		}
	}
	return p
}
