// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff/benchset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// setOptions are the flags of "srdiff eval --set".
type setOptions struct{ folder, results, damage string }

// addSetFlags adds the flag --set to eval. It replaces eval's protocol by the standard protocol of
// benchmark sets.
func addSetFlags(cmd *cobra.Command, o *evalOptions) *cobra.Command {
	var s setOptions
	cmd.Use += " | --set DIR"
	flags := cmd.Flags()
	flags.StringVar(&s.folder, "set", "", "in place of --data: folder of a benchmark set, such as Set5, with NAME_HR.png and NAME_LR.png, "+
		"or pictures in high resolution")
	flags.StringVar(&s.results, "results", "", "with --set: folder that gets every result as ENLARGER/NAME.png")
	flags.StringVar(&s.damage, "degrade", "", "with --set: damage to the low-resolution pictures: jpeg:QUALITY, blur:PIXELS or noise:LEVELS, "+
		"such as jpeg:75, blur:1 or noise:5")
	cmd.MarkFlagsOneRequired("data", "set")
	cmd.MarkFlagsOneRequired("model", "set")
	for _, other := range []string{"data", "count", "seeds"} {
		cmd.MarkFlagsMutuallyExclusive("set", other)
	}
	runData := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if s.folder == "" {
			if s.damage != "" {
				return errors.New("--degrade has no effect without --set: omit it")
			}
			return runData(cmd, args)
		}
		return s.run(cmd, o)
	}
	return cmd
}

func (s setOptions) run(cmd *cobra.Command, o *evalOptions) error {
	if o.sheet != "" && !strings.EqualFold(filepath.Ext(o.sheet), ".png") {
		return fmt.Errorf("the sheet is a PNG file, and its name is %s: want a name that ends in .png", o.sheet)
	}
	var damage degrade.Damage
	if s.damage != "" {
		var err error
		if damage, err = degrade.ParseDamage(s.damage); err != nil {
			return fmt.Errorf("--degrade %s: %w", s.damage, err)
		}
	}
	if err := o.findModels(); err != nil {
		return err
	}
	factor, err := factorOf(o.models)
	if err != nil {
		return err
	}
	set, err := benchset.Open(s.folder, factor)
	if err != nil {
		return err
	}
	set.Damage = damage
	if len(set.Omitted) > 0 {
		printLine(cmd.ErrOrStderr(), "omitted, as they are neither _HR nor _LR: %s", strings.Join(set.Omitted, ", "))
	}
	if s.results != "" {
		if err := os.MkdirAll(s.results, 0o777); err != nil {
			return err
		}
	}
	eng, err := engine.Open(o.engine)
	if err != nil {
		return err
	}
	enlargers, made, err := s.enlargers(cmd, o, eng, factor)
	if err != nil {
		return err
	}
	line := newProgressLine(cmd.ErrOrStderr())
	var sheet benchset.Sheet
	done := 0
	each := func(p benchset.Pair, results []benchset.Result) error {
		done++
		line.show(false, "%s: %d of %d", p.Name, done, set.Len())
		if o.sheet != "" && done <= sheetRows {
			sheet.Add(p, results)
		}
		return s.write(p, results, made)
	}
	report, err := set.Measure(cmd.Context(), each, enlargers...)
	line.end()
	if err != nil {
		return err
	}
	if o.asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
			*benchset.Report
			MadeBy provenance `json:"made_by"`
		}{report, made.withVersions()})
	} else {
		text := strings.TrimSuffix(report.Markdown()+"\n"+report.PicturesMarkdown(), "\n")
		for row := range strings.SplitSeq(text, "\n") {
			err = cmp.Or(err, printLine(cmd.OutOrStdout(), "%s", row))
		}
	}
	if err == nil && o.sheet != "" {
		err = imaging.WritePNG(o.sheet, sheet.Image(), made.chunk())
	}
	return err
}

// factorOf returns the common factor of the models, or 4 without models. Different factors are an
// error.
func factorOf(models []modelSource) (int, error) {
	factor := 0
	for _, m := range models {
		c, err := m.config()
		switch {
		case err != nil:
			return 0, err
		case factor != 0 && c.Factor != factor:
			return 0, fmt.Errorf("%s enlarges %d times and %s %d times: measure them one at a time", models[0], factor, m, c.Factor)
		}
		factor = c.Factor
	}
	return cmp.Or(factor, defaultTimes), nil
}

// enlargers returns bicubic interpolation and the models.
func (s setOptions) enlargers(cmd *cobra.Command, o *evalOptions, eng *engine.Engine, factor int) ([]benchset.Enlarger, provenance, error) {
	e := evaluator{evalOptions: o}
	list := []benchset.Enlarger{benchset.Bicubic(factor)}
	made := provenance{Seed: o.sampling.Seed, Engine: eng.Name}
	for i, source := range o.models {
		m, hash, err := source.load(eng.Backend)
		if err != nil {
			return nil, made, err
		}
		if err := o.sampling.Validate(m.Config); err != nil {
			return nil, made, fmt.Errorf("%s: %w", source, err)
		}
		if i == 0 {
			made.Options = optionsOf(cmd.Flags(), m.Config)
		}
		made.Models = append(made.Models, hash)
		list = append(list, benchset.Enlarger{Name: e.name(i), Enlarge: func(ctx context.Context, low imaging.Picture) (imaging.Picture, error) {
			out, err := m.Upscale(ctx, o.sampling, low.Image())
			if err != nil {
				return imaging.Picture{}, err
			}
			return imaging.FromImage(out), nil
		}})
	}
	return list, made, nil
}

// write writes the results and the original of one picture to the folder for results, if one is
// given.
func (s setOptions) write(p benchset.Pair, results []benchset.Result, made provenance) error {
	if s.results == "" {
		return nil
	}
	put := func(enlarger string, img image.Image, chunks ...imaging.Chunk) error {
		folder := filepath.Join(s.results, strings.NewReplacer("/", "_", `\`, "_", ":", "_").Replace(enlarger))
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
		return imaging.WritePNG(filepath.Join(folder, p.Name+".png"), img, chunks...)
	}
	if err := put("original", p.Original.Image()); err != nil {
		return err
	}
	for _, r := range results {
		if err := put(r.Enlarger, r.Picture.Image(), made.chunk()); err != nil {
			return err
		}
	}
	return nil
}
