// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

const (
	chartWidth, chartHeight = 640, 360 // Screen pixels. The file has twice as many each way, for sharp lines and letters.
	rowWidth, rowHeight     = 440, 300 // Of one among several side by side.

	pixel    = vg.Length(0.75) // A screen pixel in points, at the web's 96 dots an inch.
	chartDPI = 2 * 96
)

var (
	ink       = color.NRGBA{R: 0x33, G: 0x33, B: 0x33, A: 0xff}
	gridLines = color.NRGBA{R: 0xe5, G: 0xe5, B: 0xe5, A: 0xff}

	// palette holds Tableau's ten colours, without the grey one: matplotlib's cycle.
	palette = []color.NRGBA{
		{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff}, {R: 0xff, G: 0x7f, B: 0x0e, A: 0xff}, {R: 0x2c, G: 0xa0, B: 0x2c, A: 0xff},
		{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}, {R: 0x94, G: 0x67, B: 0xbd, A: 0xff}, {R: 0x8c, G: 0x56, B: 0x4b, A: 0xff},
		{R: 0xe3, G: 0x77, B: 0xc2, A: 0xff}, {R: 0xbc, G: 0xbd, B: 0x22, A: 0xff}, {R: 0x17, G: 0xbe, B: 0xcf, A: 0xff},
	}
)

// Series is one line of a chart. X may be nil: then the values stand at 0, 1, 2 and so on. Points that are not
// finite are left out, and on a logarithmic axis those that are not positive.
type Series struct {
	Name string // Shown in the legend; no name, no entry.
	X, Y []float64

	faint bool // Behind the others, in a light shade of the next series' colour.
}

// Chart is a line chart on a white ground, 640x360 on the screen.
type Chart struct {
	Title, XLabel, YLabel string

	LogY       bool    // A logarithmic y axis.
	YMin, YMax float64 // The ends of the y axis, so that charts can be compared. Both 0: what the lines need.
	Series     []Series

	width, height int // Other than the usual size.
}

// PNG draws the chart as a PNG file of 1280x720 pixels. A series whose X and Y differ in length is an error, and so
// is a chart without a single point to draw.
func (c Chart) PNG() ([]byte, error) {
	if c.width == 0 {
		c.width, c.height = chartWidth, chartHeight
	}
	p := plot.New()
	p.BackgroundColor = nil // The canvas is white already.
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.XLabel, c.YLabel
	legend := plot.NewLegend()
	style(p, &legend)

	drawn, hue := 0, 0
	for _, s := range c.Series {
		points, err := s.points(c.LogY)
		if err != nil {
			return nil, fmt.Errorf("chart %q: %w", c.Title, err)
		}
		line := &plotter.Line{XYs: points}
		line.LineStyle = draw.LineStyle{Color: palette[hue%len(palette)], Width: 1.8 * pixel}
		if s.faint {
			line.LineStyle = draw.LineStyle{Color: lighter(palette[hue%len(palette)]), Width: pixel}
		} else {
			hue++
		}
		if len(points) == 0 {
			continue
		}
		drawn += len(points)
		p.Add(line)
		if s.Name != "" {
			legend.Add(s.Name, line)
		}
	}
	if drawn == 0 {
		want := "finite values"
		if c.LogY {
			want = "finite values above 0, as LogY is set"
		}
		return nil, fmt.Errorf("chart %q has no points to draw: give it a series with %s", c.Title, want)
	}
	fitAxes(p, c.LogY)
	if c.YMin != 0 || c.YMax != 0 {
		if err := c.checkAxis(); err != nil {
			return nil, err
		}
		p.Y.Min, p.Y.Max = c.YMin, c.YMax
	}

	canvas := vgimg.NewWith(vgimg.UseWH(vg.Length(c.width)*pixel, vg.Length(c.height)*pixel), vgimg.UseDPI(chartDPI))
	area := draw.New(canvas)
	area = draw.Crop(area, 8*pixel, -12*pixel, 8*pixel, -8*pixel)
	if legendSize := legend.Rectangle(area).Size(); legendSize.X > 0 { // Beside the lines, so that it hides none.
		legend.Draw(draw.Crop(area, area.Max.X-area.Min.X-legendSize.X-2*pixel, 0, 0, -24*pixel))
		area = draw.Crop(area, 0, -legendSize.X-14*pixel, 0, 0)
	}
	p.Draw(area)
	return encode(canvas.Image())
}

// checkAxis says whether the y axis can be as it is set.
func (c Chart) checkAxis() error {
	if c.YMin < c.YMax && finite(c.YMax-c.YMin) && (c.YMin > 0 || !c.LogY) {
		return nil
	}
	want := "YMin < YMax"
	if c.LogY {
		want = "0 < YMin < YMax, as LogY is set"
	}
	return fmt.Errorf("chart %q has a y axis from %v to %v: want %s", c.Title, c.YMin, c.YMax, want)
}

// Show displays the chart.
func (c Chart) Show() {
	data, err := c.PNG()
	Check(err)
	showPNG(data, chartWidth, fmt.Sprintf("chart, %s", c.Title))
}

// Row displays charts side by side, as many as the page is wide enough for, and the others below. Give them the same
// YMin and YMax to make them comparable.
func Row(charts ...Chart) {
	row, err := rowHTML(charts)
	Check(err)
	gonbui.DisplayHTML(row)
	flush()
}

func rowHTML(charts []Chart) (string, error) {
	var row strings.Builder
	for _, c := range charts {
		c.width, c.height = chartWidth, chartHeight
		if len(charts) > 1 {
			c.width, c.height = rowWidth, rowHeight
		}
		data, err := c.PNG()
		if err != nil {
			return "", err
		}
		row.WriteString(imgHTML(data, image.Pt(c.width, c.height)))
	}
	return "<div>" + row.String() + "</div>", nil // Straight in an output, JupyterLab sets pictures below each other.
}

func (s Series) points(logY bool) (plotter.XYs, error) {
	if s.X != nil && len(s.X) != len(s.Y) {
		return nil, fmt.Errorf("series %q has %d x values for %d y values: want as many of each",
			s.Name, len(s.X), len(s.Y))
	}
	points := make(plotter.XYs, 0, len(s.Y))
	for i, y := range s.Y {
		x := float64(i)
		if s.X != nil {
			x = s.X[i]
		}
		if !finite(x) || !finite(y) || logY && y <= 0 {
			continue
		}
		points = append(points, plotter.XY{X: x, Y: y})
	}
	return points, nil
}

// style sets letters, lines and colours to what papers in the field use.
func style(p *plot.Plot, legend *plot.Legend) {
	letters := func(s *text.Style, pixels vg.Length) {
		s.Font = font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, pixels*pixel)
		s.Color = ink
	}
	letters(&p.Title.TextStyle, 15)
	p.Title.Padding = 8 * pixel
	letters(&legend.TextStyle, 12)
	legend.Top, legend.Left = true, true
	legend.Padding = 5 * pixel
	legend.YPosition = draw.PosCenter
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		letters(&axis.Label.TextStyle, 13)
		letters(&axis.Tick.Label, 12)
		axis.Label.Padding = 5 * pixel
		axis.Padding = 0
		axis.Color, axis.Width = ink, pixel
		axis.Tick.Color, axis.Tick.Width, axis.Tick.Length = ink, pixel, 5*pixel
	}
	grid := plotter.NewGrid()
	grid.Horizontal = draw.LineStyle{Color: gridLines, Width: pixel}
	grid.Vertical = grid.Horizontal
	p.Add(grid)
}

// fitAxes leaves a little air around the lines, and keeps the axes apart where all points agree.
func fitAxes(p *plot.Plot, logY bool) {
	if p.X.Min == p.X.Max {
		p.X.Min, p.X.Max = p.X.Min-1, p.X.Max+1
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = linearTicks{}, linearTicks{}
	if logY {
		margin := max(math.Pow(p.Y.Max/p.Y.Min, 0.04), 1.02)
		p.Y.Min, p.Y.Max = p.Y.Min/margin, p.Y.Max*margin
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, logTicks{}
		return
	}
	margin := 0.04 * (p.Y.Max - p.Y.Min)
	if margin == 0 {
		margin = max(math.Abs(p.Y.Max)/10, 1e-6)
	}
	p.Y.Min, p.Y.Max = p.Y.Min-margin, p.Y.Max+margin
}

// linearTicks labels the multiples of 1, 2 or 5 times a power of ten: about five of them.
type linearTicks struct{}

// Ticks implements [plot.Ticker].
func (linearTicks) Ticks(low, high float64) []plot.Tick {
	rough := 0.8 * (high - low) / 5
	power := math.Floor(math.Log10(rough))
	step := 10 * math.Pow(10, power)
	for _, part := range []float64{10, 5, 2} {
		if step/part >= rough {
			step /= part
			break
		}
	}
	decimals := -int(math.Floor(math.Log10(step) + 1e-9))
	var ticks []plot.Tick
	for i := int(math.Ceil(low / step)); i <= int(math.Floor(high/step+1e-9)); i++ {
		label := strconv.FormatFloat(float64(i)*step, 'g', 6, 64)
		if decimals > -6 && decimals <= 4 {
			label = strconv.FormatFloat(float64(i)*step, 'f', max(decimals, 0), 64)
		}
		ticks = append(ticks, plot.Tick{Value: float64(i) * step, Label: label})
	}
	return ticks
}

// logTicks labels 1, 2 and 5 times every power of ten, on long axes only the powers, and on ones shorter than a power
// what a plain axis would label.
type logTicks struct{}

// Ticks implements [plot.Ticker] for 0 < low < high.
func (logTicks) Ticks(low, high float64) []plot.Tick {
	powers := math.Log10(high / low)
	if powers < 1 {
		return linearTicks{}.Ticks(low, high)
	}
	every := max(int(math.Ceil(powers/8)), 1) // Not more than nine labels on an axis of many powers.
	var ticks []plot.Tick
	for e := int(math.Floor(math.Log10(low))); e <= int(math.Floor(math.Log10(high))); e++ {
		for digit := 1; digit < 10; digit++ {
			t := plot.Tick{Value: float64(digit) * math.Pow(10, float64(e))}
			whole := digit == 1 && e%every == 0
			if whole || powers < 2.5 && (digit == 2 || digit == 5) {
				t.Label = strconv.FormatFloat(t.Value, 'g', 3, 64)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// lighter mixes a colour with twice as much white.
func lighter(c color.NRGBA) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8((int(v) + 2*255) / 3) }
	return color.NRGBA{R: mix(c.R), G: mix(c.G), B: mix(c.B), A: c.A}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
