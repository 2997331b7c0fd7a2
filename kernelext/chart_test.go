// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot"
)

func drawn(t *testing.T, c Chart) *image.RGBA {
	t.Helper()
	data, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	pixels, ok := img.(*image.RGBA)
	if !ok {
		t.Fatalf("decoded as %T, want a picture without transparency", img)
	}
	return pixels
}

// where returns the number of pixels of a colour, and the rectangle around them.
func where(img *image.RGBA, want color.NRGBA) (count int, area image.Rectangle) {
	for i := 0; i < len(img.Pix); i += 4 {
		if p := img.Pix[i : i+4]; p[0] == want.R && p[1] == want.G && p[2] == want.B && p[3] == want.A {
			count++
			x, y := i%img.Stride/4, i/img.Stride
			area = area.Union(image.Rect(x, y, x+1, y+1))
		}
	}
	return count, area
}

func TestChartDrawsWhatItIsGiven(t *testing.T) {
	img := drawn(t, Chart{Title: "two", XLabel: "x", YLabel: "y", Series: []Series{
		{Name: "low", X: []float64{0, 100}, Y: []float64{1, 1}},
		{Name: "high, second half only", X: []float64{50, 100}, Y: []float64{2, 2}},
	}})
	if size := img.Bounds().Size(); size != image.Pt(1280, 720) {
		t.Fatalf("size %v, want 1280x720", size)
	}
	lowCount, low := where(img, palette[0])
	highCount, high := where(img, palette[1])
	if lowCount < 500 || highCount < 250 {
		t.Fatalf("%d and %d pixels of the two lines", lowCount, highCount)
	}
	if high.Min.Y > low.Min.Y-100 && high.Min.X < low.Min.X+100 {
		t.Errorf("low in %v, high in %v", low, high)
	}
	white, _ := where(img, color.NRGBA{R: 255, G: 255, B: 255, A: 255})
	if all := 1280 * 720; white < all*3/4 {
		t.Errorf("%d of %d pixels are white", white, all)
	}
	if c := color.NRGBAModel.Convert(img.At(0, 0)); c != (color.NRGBA{R: 255, G: 255, B: 255, A: 255}) {
		t.Errorf("corner %v, want solid white", c)
	}
}

func TestChartLogAxis(t *testing.T) {
	// On a logarithmic axis 10 lies half way between 1 and 100, on a linear one close to 1.
	heights := func(logY bool) (middle float64) {
		img := drawn(t, Chart{LogY: logY, Series: []Series{
			{X: []float64{0, 1}, Y: []float64{1, 1}},
			{X: []float64{0, 1}, Y: []float64{10, 10}},
			{X: []float64{0, 1}, Y: []float64{100, 100}},
		}})
		var y [3]float64
		for i := range y {
			_, area := where(img, palette[i])
			y[i] = float64(area.Min.Y+area.Max.Y) / 2
		}
		return (y[1] - y[0]) / (y[2] - y[0])
	}
	if got := heights(true); math.Abs(got-0.5) > 0.02 {
		t.Errorf("logarithmic: 10 lies at %v between 1 and 100", got)
	}
	if got := heights(false); math.Abs(got-9.0/99) > 0.02 {
		t.Errorf("linear: 10 lies at %v between 1 and 100", got)
	}
}

func TestChartGivenAxis(t *testing.T) {
	// The same line is half way up an axis from 0 to 2, and at a tenth of an axis from 0 to 10.
	level := func(y float64) Series { return Series{X: []float64{0, 1}, Y: []float64{y, y}} }
	for _, test := range []struct{ yMax, want float64 }{{2, 0.5}, {10, 0.1}} {
		img := drawn(t, Chart{YMax: test.yMax, Series: []Series{level(1), level(0), level(test.yMax)}})
		_, line := where(img, palette[0])
		_, bottom := where(img, palette[1])
		_, top := where(img, palette[2])
		got := float64(bottom.Max.Y-line.Max.Y) / float64(bottom.Max.Y-top.Max.Y)
		if math.Abs(got-test.want) > 0.01 {
			t.Errorf("on an axis to %v, 1 lies at %v of its height", test.yMax, got)
		}
	}
	// A line that leaves the axis ends there.
	img := drawn(t, Chart{Title: "t", YMax: 2, Series: []Series{{X: []float64{0, 1}, Y: []float64{1, 9}}, level(2)}})
	_, line := where(img, palette[0])
	_, top := where(img, palette[1])
	if line.Min.Y < top.Min.Y-2 || line.Max.X > top.Min.X+top.Dx()/7 {
		t.Errorf("the line is drawn in %v, the top in %v", line, top)
	}
}

func TestChartOddValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		name  string
		chart Chart
		want  string // In the error; empty if the chart can be drawn.
	}{
		{"one point", Chart{Series: []Series{{Y: []float64{5}}}}, ""},
		{"all equal", Chart{Series: []Series{{Y: []float64{0, 0, 0}}}}, ""},
		{"all equal, log", Chart{LogY: true, Series: []Series{{Y: []float64{3, 3}}}}, ""},
		{"not finite in between", Chart{Series: []Series{{Y: []float64{1, nan, inf, 2}}}}, ""},
		{"zero on a log axis", Chart{LogY: true, Series: []Series{{Y: []float64{0, -1, 2, 1}}}}, ""},
		{"large and small", Chart{LogY: true, Series: []Series{{Y: []float64{1e-30, 1e30}}}}, ""},
		{"an empty series beside one", Chart{Series: []Series{{Name: "a"}, {Name: "b", Y: []float64{1, 2}}}}, ""},
		{"no series", Chart{Title: "t"}, `chart "t" has no points to draw: give it a series with finite values`},
		{"nothing finite", Chart{Series: []Series{{Y: []float64{nan, inf}}}}, "no points to draw"},
		{"nothing positive", Chart{LogY: true, Series: []Series{{Y: []float64{-1, 0}}}}, "above 0, as LogY is set"},
		{"a given axis", Chart{YMin: -1, YMax: 1, Series: []Series{{Y: []float64{1, 2}}}}, ""},
		{"an axis upside down", Chart{YMin: 1, Series: []Series{{Y: []float64{1, 2}}}}, "y axis from 1 to 0: want YMin < YMax"},
		{"an axis without end", Chart{YMax: inf, Series: []Series{{Y: []float64{1, 2}}}}, "want YMin < YMax"},
		{"a log axis from 0", Chart{LogY: true, YMax: 1, Series: []Series{{Y: []float64{1, 2}}}}, "want 0 < YMin < YMax"},
		{"lengths", Chart{Series: []Series{{Name: "s", X: []float64{1}, Y: []float64{1, 2}}}},
			`series "s" has 1 x values for 2 y values`},
	} {
		t.Run(test.name, func(t *testing.T) {
			data, err := test.chart.PNG()
			if test.want == "" && (err != nil || len(data) == 0) {
				t.Fatalf("%d bytes, %v", len(data), err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		ticker    plot.Ticker
		low, high float64
		want      string
	}{
		{linearTicks{}, 0, 999, "0 300 600 900"},
		{linearTicks{}, -0.04, 1.04, "0.0 0.5 1.0"},
		{linearTicks{}, 1, 5000, "1000 3000 5000"},
		{linearTicks{}, -1, 1, "-1 0 1"},
		{linearTicks{}, 0, 1e6, "0 500000 1000000"},
		{linearTicks{}, 1e-7, 3e-7, "1e-07 2e-07 3e-07"},
		{linearTicks{}, 0.99999, 0.999992, "0.999990 0.999991 0.999992"},
		{linearTicks{}, 0.999999, 0.9999992, "0.9999990 0.9999991 0.9999992"},
		{linearTicks{}, 1000.001, 1000.002, "1000.0010 1000.0015 1000.0020"},
		{linearTicks{}, 1.04e-15, 2.96e-15, "1.2e-15 2.0e-15 2.8e-15"},
		{linearTicks{}, -1e300, 1e300, "-1e+300 0 1e+300"},
		{logTicks{}, 0.015, 1.2, "0.02 0.05 0.1 0.2 0.5 1"},
		{logTicks{}, 4e-5, 1, "0.0001 0.001 0.01 0.1 1"},
		{logTicks{}, 1e-30, 1e30, "1e-24 1e-16 1e-08 1 1e+08 1e+16 1e+24"},
		{logTicks{}, 0.2, 0.7, "0.2 0.4 0.6"},
		{logTicks{}, 1, 1e300, "1 1e+38 1e+76 1e+114 1e+152 1e+190 1e+228 1e+266"},
		{logTicks{}, 5e-324, 1e-320, "1e-323 1e-322 1e-321 1e-320"},
	} {
		var labels []string
		for _, tick := range test.ticker.Ticks(test.low, test.high) {
			if tick.Label != "" {
				labels = append(labels, tick.Label)
			}
		}
		if got := strings.Join(labels, " "); got != test.want {
			t.Errorf("%T, %g to %g: %s, want %s", test.ticker, test.low, test.high, got, test.want)
		}
	}
}

// On any axis the labels of ticks differ, and are right to a thousandth of the space between the
// ticks.
func TestTicksAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	power := func(low, high float64) float64 { return math.Pow(10, low+(high-low)*random.Float64()) }
	for i := range 5_000 {
		low := power(-300, 299) * float64(random.IntN(3)-1)
		high := low + max(math.Abs(low)*power(-9, 3), power(-290, 290))
		if i%4 == 0 { // A length as in practice.
			low = power(-6, 6) * float64(random.IntN(3)-1)
			high = low + power(-6, 6)
		}
		if high-low < shortestAxis(low, high) || high > largestValue {
			continue
		}
		checkTicks(t, linearTicks{}, low, high)
		if low > 0 {
			checkTicks(t, logTicks{}, low, high)
		}
	}
	for low := range 300 {
		for high := low + 1; high < 300; high += 7 {
			checkTicks(t, logTicks{}, math.Pow10(-low), math.Pow10(high-low))
		}
	}
}

func checkTicks(t *testing.T, ticker plot.Ticker, low, high float64) {
	t.Helper()
	ticks := ticker.Ticks(low, high)
	var labelled []plot.Tick
	for _, tick := range ticks {
		if tick.Value < low || tick.Value > high {
			t.Fatalf("%T, %v to %v: a tick at %v", ticker, low, high, tick.Value)
		}
		if tick.Label != "" {
			labelled = append(labelled, tick)
		}
	}
	if len(labelled) < 2 || len(labelled) > 10 || len(ticks) > 200 {
		t.Fatalf("%T, %v to %v: %d ticks, of which %d have labels", ticker, low, high, len(ticks), len(labelled))
	}
	for i, tick := range labelled {
		value, err := strconv.ParseFloat(tick.Label, 64)
		space := labelled[1].Value - labelled[0].Value
		if i > 0 {
			space = tick.Value - labelled[i-1].Value
		}
		if err != nil || math.Abs(value-tick.Value) > 1e-3*space || len(tick.Label) > 20 {
			t.Fatalf("%T, %v to %v: the tick at %v is labelled %s", ticker, low, high, tick.Value, tick.Label)
		}
		if i > 0 && (tick.Label == labelled[i-1].Label || tick.Value <= labelled[i-1].Value) {
			t.Fatalf("%T, %v to %v: two ticks labelled %s", ticker, low, high, tick.Label)
		}
	}
}

// Every chart is drawn or refused within seconds, whatever its numbers are.
func TestChartOfAnyNumbers(t *testing.T) {
	numbers := []float64{0, 1, -1, 5e-324, 1e-308, 0.99999, 1 + 1e-15, 1e17, 1e300, math.MaxFloat64, -math.MaxFloat64,
		math.NaN(), math.Inf(1)}
	var charts []Chart
	for _, a := range numbers {
		for _, b := range numbers {
			for _, log := range []bool{false, true} {
				charts = append(charts, Chart{LogY: log, Series: []Series{{Y: []float64{a, b}}}},
					Chart{LogY: log, YMin: a, YMax: b, Series: []Series{{Y: []float64{1, 2, 1e300, 1e-300}}}},
					Chart{LogY: log, Series: []Series{{X: []float64{a, b}, Y: []float64{1, 2}}}})
			}
		}
	}
	for _, c := range charts {
		c.width, c.height = 160, 120
		done := make(chan string, 1)
		go func() {
			defer func() {
				if cause := recover(); cause != nil {
					done <- fmt.Sprint("panic: ", cause)
				}
			}()
			data, err := c.PNG()
			if (err == nil) != (len(data) > 0) || err != nil && !strings.HasPrefix(err.Error(), "chart ") {
				done <- fmt.Sprintf("%d bytes, %v", len(data), err)
			}
			close(done)
		}()
		select {
		case problem := <-done:
			if problem != "" {
				t.Errorf("%+v: %s", c, problem)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%+v: not drawn within 20 s", c)
		}
	}
}

// inkIn counts the pixels of a chart that are not white.
func inkIn(img *image.RGBA, area image.Rectangle) (count int) {
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			if img.RGBAAt(x, y) != (color.RGBA{255, 255, 255, 255}) {
				count++
			}
		}
	}
	return count
}

// A character without a glyph is drawn as a box, and not left out.
func TestChartTextInOtherScripts(t *testing.T) {
	line := []float64{1, 2}
	top := image.Rect(0, 0, 1280, 44) // Where the title is.
	blank := inkIn(drawn(t, Chart{Title: " ", Series: []Series{{Y: line}}}), top)
	box := inkIn(drawn(t, Chart{Title: "□", Series: []Series{{Y: line}}}), top) - blank
	if box < 20 {
		t.Fatalf("a box has %d pixels", box)
	}
	for _, title := range []string{"学習率", "ステップ", "손실", "🎉🎉", "\ue000", "a\xff", "ไทย"} {
		n := strings.Count(fitText(title, plot.New().Title.TextStyle, 1000), "□")
		if ink := inkIn(drawn(t, Chart{Title: title, Series: []Series{{Y: line}}}), top) - blank; n == 0 || ink < n*box {
			t.Errorf("%q has %d boxes and %d pixels, want at least %d a box", title, n, ink, box)
		}
	}
	for text, want := range map[string]string{
		"Verlust ä": "Verlust ä", "потеря": "потеря", "α_t²": "α_t²", "a\nb\x00c": "a b c", "❤️": "□", "": "",
	} {
		if got := fitText(text, plot.New().Title.TextStyle, 1000); got != want {
			t.Errorf("%q is drawn as %q, want %q", text, got, want)
		}
	}
}

// Long texts end in dots inside the picture, beside the lines.
func TestChartLongTexts(t *testing.T) {
	long := strings.Repeat("long ", 200)
	img := drawn(t, Chart{Title: long, XLabel: long, YLabel: long, Series: []Series{{Name: long, Y: []float64{1, 2}}}})
	for _, edge := range []image.Rectangle{image.Rect(0, 0, 4, 720), image.Rect(1276, 0, 1280, 720)} {
		if n := inkIn(img, edge); n > 0 {
			t.Errorf("%d pixels at the edge %v", n, edge)
		}
	}
	if _, line := where(img, palette[0]); line.Dx() < 400 {
		t.Errorf("the line is drawn in %v", line)
	}
}

// The legend names as many series as fit, and counts the others.
func TestChartManySeries(t *testing.T) {
	var c Chart
	for i := range 100 {
		c.Series = append(c.Series, Series{Name: fmt.Sprint("series ", i), Y: []float64{float64(i), float64(i + 1)}})
	}
	if n := inkIn(drawn(t, c), image.Rect(0, 716, 1280, 720)); n > 0 {
		t.Errorf("the legend goes on below the picture: %d pixels", n)
	}
	if reflect.DeepEqual(lineStyle(0), lineStyle(len(palette))) || lineStyle(0).Color != lineStyle(len(palette)).Color {
		t.Error("the tenth series looks like the first")
	}
}

// A single point is drawn as a dot, and so are points that are all one.
func TestChartOfOnePoint(t *testing.T) {
	for _, s := range []Series{{Y: []float64{5}}, {X: []float64{3, 3}, Y: []float64{5, 5}}} {
		if n, _ := where(drawn(t, Chart{Series: []Series{s}}), palette[0]); n < 30 {
			t.Errorf("%v: %d pixels", s, n)
		}
	}
}

func TestChartShow(t *testing.T) {
	theKernel.take()
	Chart{Title: "loss", Series: []Series{{Y: []float64{1, 2}}}}.Show()
	part, text := page(t)
	if text != "chart, loss" || len(pictures(t, part)) != 1 || !strings.Contains(part, `width="640" height="360" alt="chart, loss"`) {
		t.Errorf("text %q, page %.200s", text, part)
	}
}

func BenchmarkChart(b *testing.B) {
	y := make([]float64, 1000)
	for i := range y {
		y[i] = math.Sin(float64(i) / 50)
	}
	for b.Loop() {
		if _, err := (Chart{Title: "sine", Series: []Series{{Name: "sin", Y: y}}}).PNG(); err != nil {
			b.Fatal(err)
		}
	}
}
