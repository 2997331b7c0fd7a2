// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// setTiles sets the size of tiles for one test.
func setTiles(t *testing.T, size, overlap int) {
	before := []int{tileSize, tileOverlap}
	tileSize, tileOverlap = size, overlap
	t.Cleanup(func() { tileSize, tileOverlap = before[0], before[1] })
}

// replaceX0 replaces what is computed for a tile.
func (m *Model) replaceX0(f func(in []*Node) *Node) {
	m.programs.close()
	m.graph = func(m *Model, scope *nn.Scope, v samplerVariant, in []*Node) []*Node {
		if v.tiles {
			return []*Node{f(in)}
		}
		return m.build(scope, v, in)
	}
}

func inTiles(t *testing.T, m *Model, o SampleOptions, low imaging.Picture) imaging.Picture {
	t.Helper()
	p, err := m.sampleTiles(context.Background(), o, low)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func farthest(a, b []float32) float64 {
	worst := 0.0
	for i, v := range a {
		worst = max(worst, math.Abs(float64(v-b[i]))) // NaN stays NaN
	}
	return worst
}

// oddSizes are low-resolution pictures, in pixels.
var oddSizes = [][2]int{{1, 1}, {3, 250}, {250, 3}, {65, 67}, {8, 8}, {9, 8}, {14, 14}, {15, 13}}

// Tiles are smaller where all pixels attend to each other.
func TestTileSize(t *testing.T) {
	if size := newSmall(t, Config{Network: networks.Config{Name: networks.Tiny, Attention: 3}}).tileSize(); size != 64 {
		t.Errorf("tiles of %d pixels where all pixels attend to each other, want 64", size)
	}
}

// With a network that takes x_t / 2 for x_0, every pixel goes its own way, which the sampler's
// table says, whatever the tiles.
func TestTilesTakeTheSteps(t *testing.T) {
	setTiles(t, 32, 8)
	m := newSmall(t, Config{Diffusion: diffusion.Config{Timesteps: 40, BetaEnd: 0.2}, Network: networks.Config{BaseChannels: 4}})
	for _, o := range []SampleOptions{
		{Seed: 1, Steps: 4}, {Seed: 2, Sampler: diffusion.DDIM, Steps: 5, Eta: 0.7}, {Seed: 3, Sampler: diffusion.DPMpp2M, Steps: 5},
		{Seed: 4, Sampler: pairs, Steps: 3, Spacing: diffusion.Karras},
	} {
		m.replaceX0(func(in []*Node) *Node { return MulScalar(in[0], 0.5) })
		for _, size := range oddSizes {
			got := inTiles(t, m, o, low(size[0], size[1]))
			if got.Width != 4*size[0] || got.Height != 4*size[1] {
				t.Fatalf("%v became %dx%d", size, got.Width, got.Height)
			}
			full := o.WithDefaults(m.Config)
			steps, err := full.steps(m.Config)
			if err != nil {
				t.Fatal(err)
			}
			want, before := make([]float32, len(got.Pix)), make([]float32, len(got.Pix))
			draw := normals(o.Seed, 0)
			for i := range want {
				want[i] = float32(draw())
			}
			for k, s := range steps {
				draw := normals(o.Seed, k+1)
				for i, x := range want {
					want[i] = float32((s.OfXt+s.OfX0/2)*float64(x) + s.OfBefore*float64(before[i]))
					if s.Sigma != 0 {
						want[i] += float32(s.Sigma * draw())
					}
					before[i] = x / 2
				}
			}
			if d := farthest(got.Pix, want); !(d < 1e-4) {
				t.Errorf("%s, %v: off by %v", full.Sampler, size, d)
			}
		}
	}
}

// The condition of a tile is that part of the whole condition, for every factor.
func TestTilesHaveTheirCondition(t *testing.T) {
	setTiles(t, 32, 8)
	for _, factor := range factors {
		m := newSmall(t, Config{Factor: factor, Network: networks.Config{BaseChannels: 4}})
		o := SampleOptions{Sampler: diffusion.DDIM, Steps: 1}
		m.replaceX0(func(in []*Node) *Node {
			return networks.Inputs{Xt: in[0], Low: in[1], Margin: m.network.Margin()}.Enlarged()
		})
		for _, size := range oddSizes {
			p := low(size[0], size[1])
			got, want := inTiles(t, m, o, p), imaging.Bilinear(p, size[0]*factor, size[1]*factor)
			if d := farthest(got.Pix, want.Pix); got.Width != want.Width || got.Height != want.Height || !(d < 1e-5) {
				t.Errorf("factor %d, %v: %dx%d, off by %v", factor, size, got.Width, got.Height, d)
			}
		}
	}
}

// noiseOf has Sample begin with the x_T of sampleTiles.
func (m *Model) noiseOf(seed int64) {
	draw := normals(seed, 0)
	m.programs.close()
	m.graph = func(m *Model, scope *nn.Scope, v samplerVariant, in []*Node) []*Node {
		if !v.start {
			return m.build(scope, v, in)
		}
		low, rng, level := in[0], in[1], in[2]
		shape := nn.Upsample(low, m.Config.Factor).Shape()
		values := make([]float32, shape.Size())
		for i := range values {
			values[i] = float32(draw())
		}
		xT := Reshape(Const(low.Graph(), values), shape.Dimensions...)
		return []*Node{xT, ZerosLike(xT), Reshape(level, 1), rng}
	}
}

// One tile of the whole picture is what Sample makes of the same noise, with all options.
func TestOneTileIsSample(t *testing.T) {
	config := Config{Diffusion: diffusion.Config{Timesteps: 20, BetaEnd: 0.4}, Network: networks.Config{BaseChannels: 4}, Training: TrainingConfig{DropCondition: 0.1}, Degradation: degrade.Config{Noise: 0.2, Kernel: degrade.Bicubic}}
	for _, o := range []SampleOptions{
		{Sampler: diffusion.DDIM, Steps: 4, Guidance: 1.5, Rescale: 0.5, GuidanceFrom: 5, GuidanceTo: 15, Clip: diffusion.ClipDynamic, Noise: 0.1},
		{Sampler: diffusion.DPMpp2M, Steps: 4, BackProject: 2},
		{Sampler: pairs, Steps: 4, Spacing: diffusion.Karras},
	} {
		m := newSmall(t, config)
		m.noiseOf(4)
		o.Seed = 4
		want, err := m.Sample(context.Background(), o, low(16, 8))
		if err != nil {
			t.Fatal(err)
		}
		if d := farthest(inTiles(t, m, o, low(16, 8)).Pix, want[0].Pix); !(d < 1e-4) {
			t.Errorf("%+v: off by %v", o, d)
		}
	}
}

// Every factor enlarges pictures of any size, and one tile of the whole is what Sample makes.
func TestFactors(t *testing.T) {
	for _, factor := range factors {
		for name, network := range map[string]networks.Config{
			"tutorial": {BaseChannels: 4}, "tiny": {Name: networks.Tiny, BaseChannels: 8, Attention: -1},
		} {
			m := newSmall(t, Config{Factor: factor, Network: network, Degradation: degrade.Config{Kernel: degrade.Area},
				Diffusion: diffusion.Config{Timesteps: 20, BetaEnd: 0.4}})
			setTiles(t, 1<<10, 16)
			for _, size := range [][2]int{{1, 1}, {3, 5}, {8, 16}, {32, 8}} {
				m.noiseOf(4)
				o := SampleOptions{Seed: 4, Sampler: diffusion.DDIM, Steps: 2, BackProject: 1}
				p := low(size[0], size[1])
				want, err := m.Sample(context.Background(), o, p)
				if err != nil {
					t.Fatalf("factor %d, %s, %v: %v", factor, name, size, err)
				}
				got := inTiles(t, m, o, p)
				for _, made := range []imaging.Picture{want[0], got} {
					if made.Width != factor*size[0] || made.Height != factor*size[1] {
						t.Errorf("factor %d, %s: %v became %dx%d", factor, name, size, made.Width, made.Height)
					}
				}
				whole := m.pad(p).Width == p.Width && m.pad(p).Height == p.Height // else the noise of the padding differs
				if d := farthest(got.Pix, want[0].Pix); whole && !(d < 1e-4) {
					t.Errorf("factor %d, %s, %v: a tile is off by %v", factor, name, size, d)
				}
				setTiles(t, 48, 16)
				if many := inTiles(t, m, o, p); many.Width != factor*size[0] || many.Height != factor*size[1] {
					t.Errorf("factor %d, %s, in tiles: %v became %dx%d", factor, name, size, many.Width, many.Height)
				}
				setTiles(t, 1<<10, 16)
			}
		}
	}
}

// A model of every factor trains, and its file gives the factor back.
func TestFactorsTrain(t *testing.T) {
	for factor, size := range map[int]int{2: 8, 3: 12, 4: 8, 8: 16} {
		c := small
		c.Factor, c.Training.ImageSize = factor, size
		m := newSmall(t, c)
		if err := m.Train(context.Background(), waves{size}, 2, ""); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), ModelFile)
		if err := m.Save(path); err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(graphtest.Engine(t), path)
		if err != nil {
			t.Fatal(err)
		}
		if loaded.Config != m.Config {
			t.Errorf("factor %d: loaded %+v, want %+v", factor, loaded.Config, m.Config)
		}
	}
	if size := (Config{Factor: 3}).WithDefaults().Training.ImageSize; size != 36 {
		t.Errorf("the image size of factor 3 is %d by default, want 36", size)
	}
	for _, bad := range []int{-4, 1, 5, 16} {
		if err := (Config{Factor: bad}).Validate(); err == nil || !strings.Contains(err.Error(), "want 2, 3, 4 or 8") {
			t.Errorf("factor %d: %v", bad, err)
		}
	}
}

// seams is by how many standard errors a picture jumps more at the given columns than at others
// between two pixels of the input, where a jump is what the difference of neighbours has over those
// beside it.
func seams(p imaging.Picture, at map[int]bool) float64 {
	var sums, squares, counts [2]float64
	for x := 4; x < p.Width; x += 4 {
		difference := func(y, x, c int) float64 {
			return math.Abs(float64(p.Pix[3*(y*p.Width+x)+c] - p.Pix[3*(y*p.Width+x-1)+c]))
		}
		jump := 0.0
		for y := range p.Height {
			for c := range 3 {
				jump += difference(y, x, c) - (difference(y, x-1, c)+difference(y, x+1, c))/2
			}
		}
		i := 0
		if at[x] {
			i = 1
		}
		sums[i], squares[i], counts[i] = sums[i]+jump, squares[i]+jump*jump, counts[i]+1
	}
	elsewhere, here := sums[0]/counts[0], sums[1]/counts[1]
	variance := (squares[0] - counts[0]*elsewhere*elsewhere) / (counts[0] - 1)
	return (here - elsewhere) / math.Sqrt(variance*(1/counts[0]+1/counts[1]))
}

// Where tiles begin and end, and where they overlap, a trained model's picture is as it is
// elsewhere. Tiles that are sampled apart have seams, which shows that they would be seen.
func TestTilesHaveNoSeams(t *testing.T) { noSeams(t, 32, 8, 96, 8) }

// noSeams is the test for tiles of a size and overlap and a low-resolution picture of width x
// height.
func noSeams(t *testing.T, side, overlap, width, height int) {
	m, err := Load(graphtest.Engine(t), filepath.Join("..", "notebooks", "models", "guided.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	p := imaging.New(width, height) // patches of colour
	for i := range p.Pix {
		x, y, c := i/3%p.Width, i/3/p.Width, i%3
		p.Pix[i] = float32(math.Sin(float64(7*(x/5)+3*(y/4)+c)) / 2)
	}
	o := SampleOptions{Sampler: diffusion.DDIM, Steps: 3, Memory: 1e10}
	setTiles(t, side, overlap)
	columns := m.tilesOf(p.Width*4, m.tileSize(), 0)
	edges, alone := map[int]bool{}, map[int]bool{}
	for _, at := range columns.At {
		edges[at], edges[at+side] = true, true
	}
	together := inTiles(t, m, o, p)
	tileSize = 1 << 20
	whole := inTiles(t, m, o, p)
	apart := imaging.New(whole.Width, whole.Height)
	for i, n := 0, side/4; i < p.Width*p.Height/n/n; i++ {
		left, top := i%(p.Width/n)*n, i/(p.Width/n)*n
		alone[left*4] = true
		tile := imaging.New(n, n)
		for y := range n {
			copy(tile.Pix[3*y*n:][:3*n], p.Pix[3*((top+y)*p.Width+left):])
		}
		o.Seed = int64(i)
		tile = inTiles(t, m, o, tile)
		for y := range side {
			copy(apart.Pix[3*((top*4+y)*apart.Width+left*4):], tile.Pix[3*y*side:][:3*side])
		}
	}
	a, b, c := seams(whole, edges), seams(together, edges), seams(apart, alone)
	t.Logf("standard errors: %.1f in one piece, %.1f in tiles, %.1f in tiles apart; off by %.3f", a, b, c,
		math.Sqrt(squaredError(whole, together)))
	if !(math.Abs(b) < 3) || !(c > 6) {
		t.Errorf("jumps at the tiles' edges: %.1f standard errors in tiles, and %.1f in tiles apart: want less than 3, and more than 6", b, c)
	}
	// An overlap that blurs would have smaller differences of neighbours.
	shared := func(p imaging.Picture) float64 {
		var sums, counts [2]float64
		for i := 3; i < len(p.Pix); i++ {
			x, owners := i/3%p.Width, 0
			for _, at := range columns.At {
				if at < x && x < at+side {
					owners++
				}
			}
			if x > 0 {
				k := min(1, owners/2)
				sums[k], counts[k] = sums[k]+math.Abs(float64(p.Pix[i]-p.Pix[i-3])), counts[k]+1
			}
		}
		return sums[1] / counts[1] / (sums[0] / counts[0])
	}
	if ratio := shared(together) / shared(whole); !(ratio > 0.95 && ratio < 1.05) {
		t.Errorf("differences of neighbours where tiles overlap: %.3f times those of the picture in one piece, want 1", ratio)
	} else {
		t.Logf("differences of neighbours in overlaps: %.3f of those in one piece", ratio)
	}
}

func squaredError(a, b imaging.Picture) float64 {
	sum := 0.0
	for i, v := range a.Pix {
		sum += float64(v-b.Pix[i]) * float64(v-b.Pix[i])
	}
	return sum / float64(len(a.Pix))
}

// A picture of any size, with transparency, through Upscale: the same bytes from the same seed,
// whatever the memory.
func TestUpscaleInTiles(t *testing.T) {
	setTiles(t, 32, 8)
	m := newSmall(t, Config{Network: networks.Config{Name: networks.Tiny}, Diffusion: diffusion.Config{Timesteps: 6, BetaEnd: 0.5}})
	upscale := func(seed, memory int64, width, height int) *image.NRGBA {
		t.Helper()
		img := low(width, height).Image()
		for i := range width * height {
			img.SetNRGBA(i%width, i/width, color.NRGBA{uint8(9 * i), uint8(5 * i), uint8(3 * i), uint8(255 * (i % width) / width)})
		}
		out, err := m.Upscale(context.Background(), SampleOptions{Seed: seed, Steps: 2, Memory: memory}, img)
		if err != nil {
			t.Fatal(err)
		}
		if out.Bounds().Dx() != width*4 || out.Bounds().Dy() != height*4 {
			t.Errorf("%dx%d became %v", width, height, out.Bounds())
		}
		return out.(*image.NRGBA)
	}
	for _, size := range [][2]int{{1, 1}, {3, 40}, {40, 3}} {
		upscale(1, 0, size[0], size[1])
	}
	a, more, again := upscale(1, 0, 17, 19), upscale(1, 1e12, 17, 19), upscale(1, 600e6, 17, 19)
	if !bytes.Equal(a.Pix, more.Pix) || !bytes.Equal(a.Pix, again.Pix) {
		t.Error("the same seed gave another picture")
	}
	if bytes.Equal(a.Pix, upscale(2, 0, 17, 19).Pix) {
		t.Error("another seed gave the same picture")
	}
	if left, right := a.NRGBAAt(0, 40).A, a.NRGBAAt(67, 40).A; left != 0 || right != 240 {
		t.Errorf("opacity of %d on the left and %d on the right, want 0 and 240", left, right)
	}
}

func TestTilesReportAndStop(t *testing.T) {
	setTiles(t, 32, 8)
	m := newSmall(t, Config{Network: networks.Config{BaseChannels: 4}, Diffusion: diffusion.Config{Timesteps: 9}})
	ctx, stop := context.WithCancel(context.Background())
	var seen []string
	o := SampleOptions{Steps: 3, Each: func(s SampleStep) {
		seen = append(seen, fmt.Sprintf("%d/%d %d/%d", s.Done, s.Steps, s.Tile, s.Tiles))
		if len(seen) == 5 {
			stop()
		}
	}}
	_, err := m.sampleTiles(ctx, o, low(9, 9))
	if got := strings.Join(seen, ", "); !errors.Is(err, context.Canceled) || got != "0/3 1/4, 0/3 2/4, 0/3 3/4, 1/3 0/4, 1/3 1/4" {
		t.Errorf("stopped after %s with %v", got, err)
	}
}

// A picture that needs more memory than is allowed is refused, with an amount that does.
func TestTilesMemory(t *testing.T) {
	m := newSmall(t, Config{Network: networks.Config{BaseChannels: 32}})
	checkMemory := func(o SampleOptions, width, height int, multistep bool) error {
		_, _, need := m.layTiles(o, width, height, multistep)
		return allowMemory(o, need, width, height)
	}
	for _, o := range []SampleOptions{{}, {Memory: 500e6}, {Sampler: diffusion.DPMpp2M}} {
		err := checkMemory(o, 10_000, 10_000, o.Sampler == diffusion.DPMpp2M)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%+v: %v, want an error of one line", o, err)
		}
		var want, allowed float64
		_, after, _ := strings.Cut(err.Error(), "which takes ")
		if _, e := fmt.Sscanf(after, "%fGB of memory, and %fGB are allowed", &want, &allowed); e != nil {
			t.Fatalf("%v: %v", err, e)
		}
		o.Memory = int64(want * 1e9)
		if err := checkMemory(o, 10_000, 10_000, o.Sampler == diffusion.DPMpp2M); err != nil || want < allowed {
			t.Errorf("%v GB are said to do: %v", want, err)
		}
	}
	if err := checkMemory(SampleOptions{}, 4096, 4096, false); err != nil {
		t.Error(err)
	}
	if err := CheckUpscale(image.NewUniform(color.White), 4); err == nil {
		t.Error("a picture without end is not refused")
	}
	if err := CheckUpscale(image.NewAlpha(image.Rect(0, 0, 2500, 2500)), 4); err != nil {
		t.Error(err)
	}
	if err := CheckUpscale(image.NewAlpha(image.Rect(0, 0, 2500, 2501)), 4); err == nil || !strings.Contains(err.Error(), "at most 100000000") {
		t.Errorf("a result of more than 100 megapixels: %v", err)
	}
}
