// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// upscaleOptions are the flags of "srdiff upscale".
type upscaleOptions struct {
	model, out, like, engine string
	source                   modelSource // of the model
	config                   srdiff.Config
	compare, overwrite       bool
	shard                    shard
	noisy                    float64 // 1 minus --denoise
	asJSON                   bool
	resultOptions
}

func upscaleCommand() *cobra.Command {
	o := upscaleOptions{resultOptions: resultOptions{quality: defaultQuality}}
	cmd := &cobra.Command{
		Use:   "upscale IN... [-o OUT]",
		Short: "Enlarge pictures",
		Long: "Enlarge pictures by the model's factor in each direction, or to another size. IN is a picture, a folder with\n" +
			"pictures, also in folders below it, or - for standard input. Results are PNG files, or JPEG, TIFF or WebP by the end of OUT.\n" +
			"Each records the model, the seed and the options that made it; see --like. With several pictures, srdiff skips a picture\n" +
			"that already has a complete result of the same input, model and options. It does not enlarge its own results again,\n" +
			"unless IN is only that file. A file that srdiff did not make is not replaced.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			in, err := findInputs(args, o.out)
			if err != nil {
				return err
			}
			u := upscaling{upscaleOptions: &o, inputs: in, flags: cmd.Flags(), stdin: cmd.InOrStdin(),
				out: cmd.OutOrStdout(), log: cmd.ErrOrStderr(), png: cmd.OutOrStdout()}
			if in.has(pipe) && isTerminal(u.stdin) {
				return errors.New("standard input is a terminal: send a picture to it, as in srdiff upscale - <cat.png")
			}
			if err := o.planResults(in, terminalOf(u.png) != nil); err != nil {
				return err
			}
			switch {
			case o.asJSON:
				u.out = io.Discard
			case o.toPipe(in):
				u.out = u.log
			}
			err = u.run(cmd.Context())
			if o.asJSON {
				err = cmp.Or(err, json.NewEncoder(cmd.OutOrStdout()).Encode(u.report()))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.model, "model", "", "name of one of srdiff models, or model file, from srdiff train or PyTorch (default: the first of srdiff models)")
	flags.StringVarP(&o.out, "output", "o", "",
		"name of the result, a folder for it, or - for standard output (default: IN-x4.png beside IN)")
	targetFlags(flags, &o.size)
	intFlag(flags, &o.quality, "quality", "quality of JPEG and WebP results, 1 to 100")
	flags.Var(strength{&o.noisy}, "denoise", "how much noise and JPEG artefacts the model photo removes, from 0, as the model clean, to 1")
	flags.BoolVar(&o.strip, "strip", false, "omit the input's ICC profile, EXIF, XMP and density (DPI) from results")
	flags.BoolVar(&o.asJSON, "json", false, "print one JSON object at the end in place of lines: every picture with its result, size and seconds")
	flags.BoolVar(&o.overwrite, "overwrite", false, "replace files that srdiff did not make, but never an input")
	flags.BoolVar(&o.compare, "compare", false, "also write OUT-compare.png: the result beside bilinear and bicubic enlargement")
	flags.Var(&o.shard, "shard", "enlarge one share of several pictures, such as 2/8 for the second of 8; every picture is in exactly one share")
	flags.StringVar(&o.like, "like", "", "result of upscale: use its seed and options, and require its model")
	flags.Var((*byteCount)(&o.sampling.Memory), "memory", "memory that the program may use, such as 4GB (default: 2GB)")
	seedFlag(flags, &o.sampling.Seed)
	samplingFlags(flags, &o.sampling)
	predictionFlag(flags, &o.sampling)
	engineFlag(flags, &o.engine)
	return cmd
}

// upscaling enlarges all pictures.
type upscaling struct {
	*upscaleOptions
	*inputs
	flags         *pflag.FlagSet
	stdin         io.Reader
	out, log, png io.Writer // lines about results, other messages, and the picture on standard output

	enlarger *enlarger // nil until the first picture needs it

	line       *progressLine
	rest       timeLeft
	work, done float64       // pixels in total and enlarged so far
	written    []fs.FileInfo // results of this run
	kept       int           // results that were there already
	results    []resultRecord
}

// upscaleReport is what --json prints.
type upscaleReport struct {
	Results []resultRecord `json:"results"`
	Made    int            `json:"made"`
	Kept    int            `json:"there_already"`
	Failed  []string       `json:"failed"` // an error for each
}

// resultRecord describes one result.
type resultRecord struct {
	Input   string  `json:"input"`
	Output  string  `json:"output"`
	Model   string  `json:"model"`
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	Made    bool    `json:"made"` // not there already
	Seconds float64 `json:"seconds"`
}

func (u *upscaling) report() upscaleReport {
	r := upscaleReport{Results: append([]resultRecord{}, u.results...), Kept: u.kept, Failed: []string{}}
	for _, result := range u.results {
		if result.Made {
			r.Made++
		}
	}
	for _, err := range u.failed {
		r.Failed = append(r.Failed, err.Error())
	}
	return r
}

// run enlarges all pictures. An error of one among several does not end the work.
func (u *upscaling) run(ctx context.Context) error {
	u.line = newProgressLine(u.log)
	for _, t := range u.tasks {
		u.work += t.pixels
	}
	for _, err := range u.failed {
		printLine(u.log, "%v", err)
	}
	all := len(u.tasks) + len(u.failed)
	for i, t := range u.tasks {
		bad, err := u.enlarge(ctx, i, t)
		switch {
		case err != nil && u.several:
			u.summary()
			if ctx.Err() != nil {
				err = fmt.Errorf("%w; finished results are kept, and the same command continues from there", err)
			}
			return err
		case err != nil:
			return err
		case bad != nil && !u.several:
			return bad
		case bad != nil:
			u.failed = append(u.failed, bad)
			u.work -= t.pixels
			printLine(u.log, "%v", bad)
		}
	}
	if u.several {
		u.summary()
	}
	if len(u.failed) > 0 {
		return fmt.Errorf("%d of %d pictures could not be enlarged", len(u.failed), all)
	}
	return nil
}

// summary prints the counts of results and lists the failed pictures.
func (u *upscaling) summary() {
	if len(u.written)+u.kept+len(u.failed) == 0 && u.shard.of == 0 {
		return
	}
	text := fmt.Sprintf("%d made, %d there already, %d failed", len(u.written), u.kept, len(u.failed))
	if n := len(u.earlierResults); n > 0 {
		text += fmt.Sprintf("; %d earlier results of srdiff skipped: name one alone to enlarge it again", n)
	}
	printLine(u.log, "%s", text)
	for _, err := range u.failed {
		printLine(u.log, "failed: %v", err)
	}
}

// read reads a picture.
func (u *upscaling) read(t task) (*imaging.File, error) {
	if t.in != pipe {
		return imaging.Read(t.in)
	}
	file, err := imaging.ReadFrom(u.stdin)
	if err != nil {
		err = fmt.Errorf("standard input: %w", err)
	}
	return file, err
}

// enlarge makes one result. bad is an error of this picture or its result; err ends the whole work.
func (u *upscaling) enlarge(ctx context.Context, i int, t task) (bad, err error) {
	file, bad := u.read(t)
	if bad != nil {
		return bad, nil
	}
	if bad := u.checkPicture(u.config, file, u.formatOf(t)); bad != nil {
		return fmt.Errorf("%s: %w", t.in, bad), nil
	}
	if u.enlarger == nil {
		if err := u.open(file.SHA256); err != nil {
			return nil, err
		}
	}
	output := u.enlarger.Output(file, u.formatOf(t))
	record := resultRecord{Input: t.in, Output: t.out, Model: u.source.String(), Width: output.Width, Height: output.Height}
	if made := u.enlarger.provenance(file, output.Format); u.several && made.matchesFile(t.out) && (!u.compare || made.matchesFile(t.sheet())) {
		u.work -= t.pixels
		u.kept++
		u.results = append(u.results, record)
		printLine(u.out, "%s: exists already", t.out)
		return nil, nil
	}
	if bad := u.checkDuplicateResult(t); bad != nil {
		return bad, nil
	}
	for _, remark := range append(file.Remarks, output.Omitted()...) {
		printLine(u.log, "%s: %s", t.in, remark)
	}
	began := time.Now()
	allowed, ofFile := cmp.Or(u.sampling.Memory, srdiff.DefaultMemory), output.Memory()
	rest := *u.enlarger
	rest.sampling.Memory = max(1, allowed-ofFile)
	var failed error // of the model
	enlarged := rest.Enlarge(ctx, file, func(s srdiff.SampleStep) { u.show(i, s) }, nil)
	bad = u.write(t, file, output, recordingError(u.enlarger.Resize(file, enlarged), &failed))
	u.line.end()
	if e, ok := errors.AsType[*srdiff.MemoryError](failed); ok {
		e.Need, e.Allowed = e.Need+ofFile, allowed
	}
	switch {
	case failed != nil && ctx.Err() != nil:
		return nil, failed
	case failed != nil:
		return fmt.Errorf("%s: %w", t.in, failed), nil
	case bad != nil && (isDiskFull(bad) || t.out == pipe):
		return nil, bad // as all other results would
	case bad != nil:
		return bad, nil
	}
	u.done += t.pixels
	record.Made, record.Seconds = true, time.Since(began).Seconds()
	u.results = append(u.results, record)
	text := fmt.Sprintf("%s: %dx%d", t.out, output.Width, output.Height)
	if u.model == "" { // the line names what the command line leaves open
		times := math.Round(100*float64(output.Width)/float64(file.Image.Bounds().Dx())) / 100
		text += fmt.Sprintf(", %g times %s by the model %s", times, t.in, u.source)
	}
	printLine(u.out, "%s", text)
	return nil, nil
}

// recordingError passes strips on, and their error to failed too.
func recordingError(strips imaging.Strips, failed *error) imaging.Strips {
	return func(yield func(imaging.Picture, error) bool) {
		for strip, err := range strips {
			*failed = err
			if !yield(strip, err) {
				return
			}
		}
	}
}

// formatOf returns the format of a task's result.
func (u *upscaling) formatOf(t task) imaging.Format {
	if t.out == pipe {
		return imaging.PNG
	}
	return imaging.FormatOf(t.out)
}

// checkDuplicateResult returns an error if this run has already written the task's result under
// another name of the same file.
func (u *upscaling) checkDuplicateResult(t task) error {
	info, err := os.Stat(t.out)
	if err == nil && slices.ContainsFunc(u.written, func(w fs.FileInfo) bool { return os.SameFile(w, info) }) {
		return fmt.Errorf("%s is not enlarged: %s is the result of another picture", t.in, t.out)
	}
	return nil
}

// write writes the files of one result.
func (u *upscaling) write(t task, file *imaging.File, output imaging.Output, strips imaging.Strips) error {
	if t.out == pipe {
		return output.Encode(u.png, strips)
	}
	if folder, _ := split(t.out); u.intoFolder(u.inputs) {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
	}
	for _, path := range u.writes(t) {
		if err := replaceable(path, u.overwrite); err != nil { // the file may be new
			return err
		}
	}
	if !u.compare {
		return u.writeResult(t, output, strips)
	}
	c := newComparison(file.Image, image.Pt(output.Width, output.Height))
	if err := u.writeResult(t, output, c.watch(strips)); err != nil {
		return err
	}
	chunks := output.Chunks[:1]
	if !u.strip && !isGrey(file.Image) { // a profile for grey does not fit a sheet in RGB
		chunks = append(chunks[:1:1], file.Colour...)
	}
	return imaging.WritePNG(t.sheet(), c.sheet(), chunks...)
}

func (u *upscaling) writeResult(t task, output imaging.Output, strips imaging.Strips) error {
	if err := output.Write(t.out, strips); err != nil {
		return err
	}
	if info, err := os.Stat(t.out); err == nil {
		u.written = append(u.written, info)
	}
	return nil
}

func isGrey(img image.Image) bool {
	return img.ColorModel() == color.GrayModel || img.ColorModel() == color.Gray16Model
}

// open reads the model and sets the sampling options. input is the SHA-256 of the first input, for
// --like.
func (u *upscaling) open(input string) error {
	eng, err := engine.Open(u.engine)
	if err != nil {
		return err
	}
	m, hash, err := u.source.load(eng.Backend)
	if err != nil {
		return err
	}
	options := optionsOf(u.flags, m.Config)
	if u.like != "" {
		old, err := readProvenance(u.like)
		if err != nil {
			return err
		}
		if old.Model != hash {
			return fmt.Errorf("%s was made by another model than %s, whose SHA-256 begins with %.12q and not %.12q", u.like, u.source,
				hash, old.Model)
		}
		again, err := old.sampleOptions(u.like, u.flags, m.Config)
		if err != nil {
			return err
		}
		again.Prediction, again.Memory = u.sampling.Prediction, u.sampling.Memory
		u.sampling, options = again, old.Options
		if old.Engine != eng.Name || old.Version != srdiff.Version() {
			printLine(u.log, "%s was made by srdiff %q on the engine %q, and this is %q on %q: the results may differ",
				u.like, old.Version, old.Engine, srdiff.Version(), eng.Name)
		}
		if len(u.tasks) == 1 && old.Input != input {
			printLine(u.log, "%s was made from another picture than %s", u.like, u.tasks[0].in)
		}
	}
	u.enlarger, err = newEnlarger(eng, m, hash, u.resultOptions, options)
	return err
}

// show prints the progress of the only picture, or of all pictures.
func (u *upscaling) show(i int, s srdiff.SampleStep) {
	share, done := progressOf(s)
	if !u.several {
		u.line.show(s.Done == s.Steps, "%s%s", done, u.rest.left(share, 1))
		return
	}
	left := u.rest.left(u.done+u.tasks[i].pixels*share, u.work)
	if left != "" {
		left += " for all"
	}
	u.line.show(false, "picture %d of %d: %s%s", i+1, len(u.tasks), done, left)
}
