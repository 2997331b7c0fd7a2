// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/features"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

// evalOptions are the flags of "srdiff eval".
type evalOptions struct {
	names               []string      // of the models, or their paths
	models              []modelSource // set by check
	data, sheet, engine string
	count, seeds        int
	sampling            srdiff.SampleOptions
	asJSON, overwrite   bool
}

func evalCommand() *cobra.Command {
	o := evalOptions{count: evalBatch, seeds: 1}
	cmd := &cobra.Command{
		Use:   "eval --model FILE [--model FILE ...] --data SPEC",
		Short: "Measure models beside bilinear and bicubic enlargement",
		Long: "Measure models beside bilinear and bicubic enlargement, all on the same pictures. What the measures mean is in " +
			"docs/evaluation.md.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.names, "model", nil, "name of one of srdiff models, or model file, from srdiff train or PyTorch; give several to compare them")
	flags.StringVar(&o.data, "data", "", "pictures to measure on: "+dataset.Specs())
	intFlag(flags, &o.count, "count", fmt.Sprintf("number of pictures; SFD wants at least %d", 2*features.Dimensions))
	intFlag(flags, &o.seeds, "seeds", "number of samples of each picture; with 2 or more, diversity is measured")
	flags.StringVar(&o.sheet, "sheet", "", fmt.Sprintf("PNG file for a sheet of up to %d pictures and their results, side by side", sheetRows))
	flags.BoolVar(&o.overwrite, "overwrite", false, "let the sheet replace a file that srdiff did not make, but never a picture of the data")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	seedFlag(flags, &o.sampling.Seed)
	samplingFlags(flags, &o.sampling)
	predictionFlag(flags, &o.sampling)
	engineFlag(flags, &o.engine)
	return addSetFlags(cmd, &o)
}

func (o *evalOptions) run(cmd *cobra.Command) error {
	if err := o.check(); err != nil {
		return err
	}
	eng, err := engine.Open(o.engine)
	if err != nil {
		return err
	}
	e := evaluator{evalOptions: o, line: newProgressLine(cmd.ErrOrStderr())}
	if err := e.open(cmd.Context(), eng.Backend); err != nil {
		return err
	}
	skipped := reportSkipped(cmd.ErrOrStderr(), e.src, "")
	err = e.measureAll(cmd.Context())
	reportSkipped(cmd.ErrOrStderr(), e.src, skipped)
	if err != nil {
		return err
	}
	result, err := e.result()
	if err != nil {
		return err
	}
	made := provenance{Models: e.hashes, Seed: o.sampling.Seed, Options: optionsOf(cmd.Flags(), e.config), Engine: eng.Name}
	result.MadeBy = made.withVersions()
	if o.asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(result)
	} else {
		err = result.print(cmd.OutOrStdout())
	}
	if err == nil && o.sheet != "" {
		err = imaging.WritePNG(o.sheet, e.sheetImage(), made.chunk())
	}
	return err
}

// check finds mistakes of the options before the engine is opened.
func (o *evalOptions) check() error {
	if err := o.findModels(); err != nil {
		return err
	}
	if o.sheet == "" {
		return nil
	}
	if !strings.EqualFold(filepath.Ext(o.sheet), ".png") {
		return fmt.Errorf("the sheet is a PNG file, and its name is %s: want a name that ends in .png", o.sheet)
	}
	if err := newDestinations().check(o.sheet, false); err != nil {
		return err
	}
	folder, _ := split(o.sheet)
	info, err := os.Stat(o.sheet)
	isSheet := func(m modelSource) bool {
		in, err := m.info()
		return err == nil && in != nil && os.SameFile(in, info)
	}
	if err == nil && slices.ContainsFunc(o.models, isSheet) {
		return fmt.Errorf("the sheet would replace the model %s: give another name", o.sheet)
	}
	if kind, data, ok := strings.Cut(o.data, ":"); err == nil && ok && kind == "images" && isWithin(folder, data) && !isMadeBySrdiff(o.sheet) {
		return fmt.Errorf("the sheet would replace %s, which is among the pictures of %s: give another name", o.sheet, data)
	}
	return replaceable(o.sheet, o.overwrite)
}

// findModels finds the models by their names or paths.
func (o *evalOptions) findModels() error {
	o.models = nil
	for _, name := range o.names {
		m, err := findModel(name, defaultTimes)
		if err != nil {
			return err
		}
		o.models = append(o.models, m)
	}
	return nil
}

// pictures returns n pictures of the source from the first on.
func pictures(src dataset.Source, first, n int) ([]imaging.Picture, error) {
	list := make([]imaging.Picture, n)
	for i := range list {
		list[i] = imaging.New(src.Size(), src.Size())
		if err := src.Picture(uint64(first+i), list[i].Pix); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// evaluation is what "srdiff eval --json" prints.
type evaluation struct {
	Model     row        `json:"model"` // the first one
	Others    []row      `json:"others,omitempty"`
	Bilinear  row        `json:"bilinear"`
	Bicubic   row        `json:"bicubic"`
	Originals row        `json:"originals"` // only their sharpness is meaningful
	Data      string     `json:"data"`
	Count     int        `json:"count"`
	Seeds     int        `json:"seeds"`
	SSIM      string     `json:"ssim_variant"`
	SFD       string     `json:"sfd_variant"`
	Intervals string     `json:"ci95_variant"`
	MadeBy    provenance `json:"made_by"`
}

// The output names the definitions, because other definitions give other numbers.
const (
	ssimVariant = "Wang et al. 2004: Gaussian window, sigma 1.5, 11x11, population covariance, mean over RGB"
	sfdVariant  = "srdiff Fréchet distance, of features of srdiff's own classifier: not FID; too large for few pictures"
	ciVariant   = "95 % of the mean over pictures, normal approximation; of SFD, by 200 bootstrap resamplings"
)

// row is a line of the table: means over the pictures, and half the widths of their 95 % confidence
// intervals.
type row struct {
	Name string `json:"name"`
	measures
	CI95 measures `json:"ci95"`
}

// measures are the measurements of one picture, or their means over several. NaN marks a
// measurement that was not made.
type measures struct {
	PSNR        number `json:"psnr"`
	SSIM        number `json:"ssim"`
	Consistency number `json:"consistency"`
	Sharpness   number `json:"sharpness"`
	Sharper     number `json:"sharpness_ratio"` // over the originals' sharpness
	Diversity   number `json:"diversity"`
	SFD         number `json:"sfd"`
	Seconds     number `json:"seconds_per_picture"`
}

// number is null in JSON when it is not finite.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// columns are the measures with their formats in the table; one without a title is not in it.
var columns = []struct {
	of                  func(*measures) *number
	title, format, half string
	width               int
}{
	{func(m *measures) *number { return &m.PSNR }, "PSNR, dB", "%.2f", " ± %.2f", 15},
	{func(m *measures) *number { return &m.SSIM }, "SSIM", "%.3f", " ± %.3f", 16},
	{func(m *measures) *number { return &m.Consistency }, "consistency", "%.1e", " ± %.0e", 18},
	{func(m *measures) *number { return &m.Sharpness }, "", "", "", 0},
	{func(m *measures) *number { return &m.Sharper }, "sharpness", "%.2f", " ± %.2f", 14},
	{func(m *measures) *number { return &m.Diversity }, "diversity", "%.4f", " ± %.4f", 16},
	{func(m *measures) *number { return &m.SFD }, "SFD", "%.2f", " ± %.2f", 15},
	{func(m *measures) *number { return &m.Seconds }, "s/picture", "%#.3g", "", 11},
}

// print writes the table.
func (e *evaluation) print(out io.Writer) error {
	rows := append(append([]row{e.Model}, e.Others...), e.Bilinear, e.Bicubic)
	names := namesOf(rows)
	width := 0
	for _, name := range names {
		width = max(width, nameWidth, utf8.RuneCountInString(name))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s", width, "")
	for _, c := range columns {
		fmt.Fprintf(&b, "%*s", c.width, c.title)
	}
	lines := []string{fmt.Sprintf("%d pictures of %s", e.Count, e.Data), b.String()}
	for i, r := range rows {
		lines = append(lines, fmt.Sprintf("%-*s%s", width, names[i], r.cells()))
	}
	lines = append(lines, "±: "+e.Intervals, "SSIM: "+e.SSIM,
		fmt.Sprintf("sharpness: mean squared gradient over the originals', %.3g", float64(e.Originals.Sharpness)))
	if e.Seeds > 1 {
		lines = append(lines, fmt.Sprintf("diversity: standard deviation over %d seeds on the scale 0..1, mean over pixels", e.Seeds))
	}
	if math.IsNaN(float64(e.Bicubic.SFD)) {
		lines = append(lines, fmt.Sprintf("SFD: not measured; it wants at least %d pictures", 2*features.Dimensions))
	} else {
		lines = append(lines, "SFD: "+e.SFD)
	}
	for _, line := range append(lines, "s/picture: after a warm-up, so without compiling") {
		if err := printLine(out, "%s", line); err != nil {
			return err
		}
	}
	return nil
}

// cells formats the row's measures for the table.
func (r *row) cells() string {
	var b strings.Builder
	for _, c := range columns {
		if c.title == "" {
			continue
		}
		cell, value, half := "-", float64(*c.of(&r.measures)), float64(*c.of(&r.CI95))
		if !math.IsNaN(value) {
			cell = fmt.Sprintf(c.format, value)
		}
		if !math.IsNaN(half) {
			cell += fmt.Sprintf(c.half, half)
		}
		fmt.Fprintf(&b, "%*s", c.width, cell)
	}
	return b.String()
}

// nameWidth leaves a table of 120 columns.
const nameWidth = 15

// namesOf returns the rows' names for the table. Names longer than nameWidth lose their beginning,
// because the end of a path identifies it better. The shortened names remain distinct.
func namesOf(rows []row) []string {
	var whole [][]rune
	longest := 0
	for _, r := range rows {
		name := []rune(escape(r.Name))
		whole = append(whole, name)
		longest = max(longest, len(name))
	}
	for width := nameWidth; ; width++ {
		names, seen := make([]string, len(whole)), map[string]bool{}
		for i, name := range whole {
			if len(name) > width {
				name = append([]rune("…"), name[len(name)-width+1:]...)
			}
			names[i] = string(name)
			seen[names[i]] = true
		}
		if len(seen) == len(names) || width >= longest {
			return names
		}
	}
}

// result computes the rows of all candidates.
func (e *evaluator) result() (evaluation, error) {
	result := evaluation{Data: e.src.Name(), Count: e.count, Seeds: e.seeds, SSIM: ssimVariant, SFD: sfdVariant, Intervals: ciVariant}
	var rows []row
	for _, c := range e.candidates {
		r, err := e.row(c)
		if err != nil {
			return result, err
		}
		rows = append(rows, r)
	}
	result.Originals, result.Bilinear, result.Bicubic = rows[0], rows[1], rows[2]
	result.Model, result.Others = rows[3], rows[4:]
	return result, nil
}

// row computes the means and the intervals of one candidate.
func (e *evaluator) row(c *candidate) (row, error) {
	r := row{Name: c.name}
	values := func(c *candidate, of func(*measures) *number) []float64 {
		list := make([]float64, len(c.values))
		for i := range list {
			list[i] = float64(*of(&c.values[i]))
		}
		return list
	}
	set := func(of func(*measures) *number, mean, half float64) {
		*of(&r.measures), *of(&r.CI95) = number(mean), number(half)
	}
	for _, column := range columns {
		mean, half := metrics.Interval(values(c, column.of))
		set(column.of, mean, half)
	}
	r.CI95.Seconds = number(math.NaN()) // batches are timed, not pictures
	sharpness := func(m *measures) *number { return &m.Sharpness }
	ratio, half := metrics.Ratio(values(c, sharpness), values(e.candidates[0], sharpness))
	set(func(m *measures) *number { return &m.Sharper }, ratio, half)
	if e.classifier != nil {
		d, half, err := features.Interval(c.features, e.candidates[0].features, e.sampling.Seed)
		if err != nil {
			return r, err
		}
		set(func(m *measures) *number { return &m.SFD }, d, half)
	}
	return r, nil
}
