// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"sort"
	"strings"
	"unicode"

	"github.com/janpfeifer/gonb/gonbui"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

const (
	chartWidth, chartHeight = 640, 360 // Screen pixels. The file has twice as many each way.
	rowWidth, rowHeight     = 440, 300 // Of one of several charts side by side.

	pixel    = vg.Length(0.75) // A screen pixel in points, at the web's 96 pixels an inch.
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

// Series is one line of a chart. If X is nil, the values are drawn at 0, 1, 2 and so on. Points
// that are not finite are omitted, and on a logarithmic axis those that are not positive.
type Series struct {
	Name string // Shown in the legend; a series without a name has no entry.
	X, Y []float64

	faint bool // Drawn in a light shade of the next series' colour.
}

// Chart is a line chart on a white ground, 640x360 on the screen. Its texts are single lines in
// Latin, Greek or Cyrillic script: a character that the font lacks is drawn as an empty box, and
// the end of a text that is too long as dots.
type Chart struct {
	Title, XLabel, YLabel string

	LogY       bool    // A logarithmic y axis.
	YMin, YMax float64 // The ends of the y axis. If both are 0, the axis fits the lines.
	Series     []Series

	width, height int // Screen pixels, if not the usual size.
}

// PNG draws the chart as a PNG file of 1280x720 pixels. It returns an error if X and Y of a series
// differ in length, if there is no point to draw, or if a linear axis would have to show values
// beyond 1e300.
func (c Chart) PNG() ([]byte, error) {
	if c.width == 0 {
		c.width, c.height = chartWidth, chartHeight
	}
	p := plot.New()
	p.BackgroundColor = nil // The canvas is white already.
	legend := plot.NewLegend()
	style(p, &legend)
	entries, err := c.addLines(p)
	if err != nil {
		return nil, err
	}
	fitAxes(p, c.LogY)
	if c.YMin != 0 || c.YMax != 0 {
		if err := c.checkAxis(); err != nil {
			return nil, err
		}
		p.Y.Min, p.Y.Max = c.YMin, c.YMax
	}

	width, height := vg.Length(c.width)*pixel, vg.Length(c.height)*pixel
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(chartDPI))
	area := draw.New(canvas)
	area = draw.Crop(area, 8*pixel, -12*pixel, 8*pixel, -8*pixel)
	fillLegend(&legend, entries, 0.4*width, height-40*pixel)
	// The legend is beside the lines, so that it hides none.
	if legendSize := legend.Rectangle(area).Size(); legendSize.X > 0 {
		legend.Draw(draw.Crop(area, area.Max.X-area.Min.X-legendSize.X-2*pixel, 0, 0, -24*pixel))
		area = draw.Crop(area, 0, -legendSize.X-14*pixel, 0, 0)
	}
	size := area.Size()
	p.Title.Text = fitText(c.Title, p.Title.TextStyle, size.X)
	p.X.Label.Text = fitText(c.XLabel, p.X.Label.TextStyle, size.X-100*pixel)
	p.Y.Label.Text = fitText(c.YLabel, p.Y.Label.TextStyle, size.Y-60*pixel)
	p.Draw(draw.Crop(area, overhang(p.X), 0, 0, 0))
	return encode(canvas.Image())
}

// addLines adds the series to the plot, and returns their entries in the legend.
func (c Chart) addLines(p *plot.Plot) (entries []legendEntry, err error) {
	drawn, hue := 0, 0
	for _, s := range c.Series {
		points, err := s.points(c.LogY)
		if err != nil {
			return nil, fmt.Errorf("chart %q: %w", c.Title, err)
		}
		line := &plotter.Line{XYs: points, LineStyle: lineStyle(hue)}
		if s.faint {
			line.LineStyle = draw.LineStyle{Color: lighter(palette[hue%len(palette)]), Width: pixel}
		} else {
			hue++
		}
		name := s.Name
		switch {
		case len(points) == 0:
			name += " (no points)"
		case isDot(points):
			p.Add(&plotter.Scatter{XYs: points[:1], GlyphStyle: draw.GlyphStyle{
				Color: line.Color, Radius: 2.5 * pixel, Shape: draw.CircleGlyph{},
			}})
		default:
			p.Add(line)
		}
		drawn += len(points)
		if s.Name != "" {
			entries = append(entries, legendEntry{name, line})
		}
	}
	if drawn == 0 {
		want := "finite values"
		if c.LogY {
			want = "finite values above 0, as LogY is set"
		}
		return nil, fmt.Errorf("chart %q has no points to draw: give it a series with %s", c.Title, want)
	}
	return entries, nil
}

// overhang is how far the label of a tick at the left end of the x axis may reach beyond the labels
// of the y axis.
func overhang(x plot.Axis) (beyond vg.Length) {
	for _, t := range x.Tick.Marker.Ticks(x.Min, x.Max) {
		beyond = max(beyond, x.Tick.Label.Width(t.Label)/2-30*pixel)
	}
	return beyond
}

// legendEntry is a series in the legend.
type legendEntry struct {
	name string
	line *plotter.Line
}

// fillLegend adds as many entries as there is room for, and the number of the others.
func fillLegend(legend *plot.Legend, entries []legendEntry, width, height vg.Length) {
	each := legend.TextStyle.Rectangle("x").Max.Y + legend.Padding
	fits := int(height / each)
	for i, e := range entries {
		if i == fits-1 && len(entries) > fits {
			legend.Add(fmt.Sprintf("and %d more", len(entries)-i))
			return
		}
		legend.Add(fitText(e.name, legend.TextStyle, width), e.line)
	}
}

// lineStyle tells a series from others by its colour, and by dashes once the colours are used up.
func lineStyle(series int) draw.LineStyle {
	dashes := [][]vg.Length{nil, {6 * pixel, 3 * pixel}, {2 * pixel, 2 * pixel}}
	return draw.LineStyle{
		Color: palette[series%len(palette)], Width: 1.8 * pixel, Dashes: dashes[series/len(palette)%len(dashes)],
	}
}

// isDot reports whether all points are one, so that a line through them has no length.
func isDot(points plotter.XYs) bool {
	for _, p := range points {
		if p != points[0] {
			return false
		}
	}
	return true
}

// missingGlyph is drawn for a character that the font lacks. The font's own sign for that is empty.
const missingGlyph = '□'

// fitText returns text as one line that the font can draw and that is no longer than the width.
func fitText(s string, style text.Style, width vg.Length) string {
	face := style.Handler.Cache().Lookup(style.Font, style.Font.Size).Face
	var buffer sfnt.Buffer
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Variation_Selector, r) {
			return -1
		}
		if unicode.IsControl(r) || unicode.IsSpace(r) {
			return ' '
		}
		if glyph, err := face.GlyphIndex(&buffer, r); err != nil || glyph == 0 {
			return missingGlyph
		}
		return r
	}, s))
	if style.Width(string(runes)) <= width {
		return string(runes)
	}
	tooLong := func(n int) bool { return style.Width(string(runes[:n+1])+"…") > width }
	return string(runes[:sort.Search(len(runes)-1, tooLong)]) + "…"
}

// checkAxis returns an error if the y axis cannot be as it is set.
func (c Chart) checkAxis() error {
	least, want := -largestValue, "YMin < YMax, both from -1e300 to 1e300"
	if c.LogY {
		least, want = 1/largestValue, "0 < YMin < YMax as LogY is set, both from 1e-300 to 1e300"
	}
	if !(least <= c.YMin && c.YMin < c.YMax && c.YMax <= largestValue) {
		return fmt.Errorf("chart %q has a y axis from %v to %v: want %s", c.Title, c.YMin, c.YMax, want)
	}
	if shortest := shortestAxis(c.YMin, c.YMax); c.YMax-c.YMin < shortest && !(c.LogY && c.YMax > 1.01*c.YMin) {
		return fmt.Errorf("chart %q has a y axis from %v to %v: want YMax - YMin >= %.3g", c.Title, c.YMin, c.YMax, shortest)
	}
	return nil
}

// Show displays the chart.
func (c Chart) Show() {
	data, err := c.PNG()
	Check(err)
	showHTML("<div>"+imgHTML(data, image.Pt(chartWidth, chartHeight), c.name())+"</div>", c.name())
}

// name is what is read out in a chart's place.
func (c Chart) name() string {
	lines := make([]string, 0, len(c.Series))
	for _, s := range c.Series {
		if s.Name != "" {
			lines = append(lines, s.Name)
		}
	}
	if len(lines) == 0 {
		return "chart, " + c.Title
	}
	return "chart, " + c.Title + ": " + strings.Join(lines, ", ")
}

// Row displays charts side by side, as many as fit on the page, and the others below. Give them the
// same YMin and YMax to compare them.
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
		row.WriteString(imgHTML(data, image.Pt(c.width, c.height), c.name()))
	}
	// Without the div, JupyterLab shows the pictures below one another.
	return "<div>" + row.String() + "</div>", nil
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
		if math.Abs(x) > largestValue || math.Abs(y) > largestValue && !logY {
			return nil, fmt.Errorf("series %q has a point at (%v, %v): want numbers from -1e300 to 1e300", s.Name, x, y)
		}
		points = append(points, plotter.XY{X: x, Y: y})
	}
	return points, nil
}

// style sets fonts, lines and colours as papers in the field do.
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

// fitAxes leaves some room around the lines, and keeps the ends of an axis apart where all points
// agree.
func fitAxes(p *plot.Plot, logY bool) {
	p.X.Tick.Marker, p.Y.Tick.Marker = linearTicks{}, linearTicks{}
	p.X.Min, p.X.Max = linearEnds(p.X.Min, p.X.Max, 0, 1)
	if logY {
		p.Y.Scale, p.Y.Tick.Marker = logScale{}, logTicks{}
		p.Y.Min, p.Y.Max = logEnds(p.Y.Min, p.Y.Max)
		return
	}
	alone := math.Abs(p.Y.Max) / 10
	if alone == 0 {
		alone = 1
	}
	p.Y.Min, p.Y.Max = linearEnds(p.Y.Min, p.Y.Max, 0.04, alone)
}

// lighter mixes a colour with twice as much white.
func lighter(c color.NRGBA) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8((int(v) + 2*255) / 3) }
	return color.NRGBA{R: mix(c.R), G: mix(c.G), B: mix(c.B), A: c.A}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
