// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"golang.org/x/image/draw"
)

// upscaleOptions are the flags of "srdiff upscale".
type upscaleOptions struct {
	model, out, like, engine string
	source                   modelSource // of the model
	factor                   int         // the model's
	compare, overwrite       bool
	sampling                 srdiff.SampleOptions
}

func upscaleCommand() *cobra.Command {
	var o upscaleOptions
	cmd := &cobra.Command{
		Use:   "upscale IN... [-o OUT]",
		Short: "Enlarge pictures",
		Long: "Enlarge pictures by the model's factor in each direction. IN is a picture, a folder with pictures, also in folders\n" +
			"below it, or - for standard input. Results are PNG files. Each records the model, the seed and the options that made\n" +
			"it; see --like. With several pictures, srdiff skips a picture that already has a complete result of the same input,\n" +
			"model and options. It does not enlarge its own results again, unless IN is only that file. A file that srdiff\n" +
			"did not make is not replaced.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
			if o.toPipe(in) {
				u.out = u.log
			}
			return u.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.model, "model", "", "name of one of srdiff models, or model file, from srdiff train or PyTorch (default: the first of srdiff models)")
	flags.StringVarP(&o.out, "output", "o", "",
		"name of the result, a folder for it, or - for standard output (default: IN-x4.png beside IN)")
	flags.BoolVar(&o.overwrite, "overwrite", false, "replace files that srdiff did not make, but never an input")
	flags.BoolVar(&o.compare, "compare", false, "also write OUT-compare.png: the result beside bilinear and bicubic enlargement")
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

	m    *srdiff.Model // nil until the first picture needs it
	made provenance    // of results, but for the input

	line       *progressLine
	rest       timeLeft
	work, done float64       // pixels in total and enlarged so far
	written    []fs.FileInfo // results of this run
	kept       int           // results that were there already
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
	if len(u.written)+u.kept+len(u.failed) == 0 {
		return
	}
	text := fmt.Sprintf("%d made, %d there already, %d failed", len(u.written), u.kept, len(u.failed))
	if u.earlierResults > 0 {
		text += fmt.Sprintf("; %d earlier results of srdiff skipped: name one alone to enlarge it again", u.earlierResults)
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
	if bad := srdiff.CheckUpscale(file.Image, u.factor); bad != nil {
		return fmt.Errorf("%s: %w", t.in, bad), nil
	}
	if u.m == nil {
		if err := u.open(file.SHA256); err != nil {
			return nil, err
		}
	}
	made := u.made
	made.Input = file.SHA256
	if u.several && made.matchesFile(t.out) && (!u.compare || made.matchesFile(t.sheet())) {
		u.work -= t.pixels
		u.kept++
		printLine(u.out, "%s: exists already", t.out)
		return nil, nil
	}
	if bad := u.checkDuplicateResult(t); bad != nil {
		return bad, nil
	}
	for _, remark := range file.Remarks {
		printLine(u.log, "%s: %s", t.in, remark)
	}
	u.sampling.Each = func(s srdiff.SampleStep) { u.show(i, s) }
	result, bad := u.m.Upscale(ctx, u.sampling, file.Image)
	u.line.end()
	switch {
	case bad != nil && ctx.Err() != nil:
		return nil, bad
	case bad != nil:
		return fmt.Errorf("%s: %w", t.in, bad), nil
	}
	u.done += t.pixels
	if bad := u.write(t, file, result, made); bad != nil && (isDiskFull(bad) || t.out == pipe) {
		return nil, bad // as all other results would
	} else if bad != nil {
		return bad, nil
	}
	text := fmt.Sprintf("%s: %dx%d", t.out, result.Bounds().Dx(), result.Bounds().Dy())
	if u.model == "" { // the line names what the command line leaves open
		text += fmt.Sprintf(", %d times %s by the model %s", u.factor, t.in, u.source)
	}
	printLine(u.out, "%s", text)
	return nil, nil
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

// write writes the files of one result. The provenance is the first chunk, so that a truncated file
// still has it.
func (u *upscaling) write(t task, file *imaging.File, result image.Image, made provenance) error {
	chunks := append([]imaging.Chunk{made.chunk()}, file.Colour...)
	if t.out == pipe {
		return imaging.EncodePNG(u.png, result, append(chunks, file.Metadata...)...)
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
	if u.compare {
		sheetChunks := chunks
		if m := result.ColorModel(); m == color.GrayModel || m == color.Gray16Model {
			sheetChunks = chunks[:1] // a profile for grey does not fit a sheet in RGB
		}
		if err := imaging.WritePNG(t.sheet(), comparison(file.Image, result), sheetChunks...); err != nil {
			return err
		}
	}
	if err := imaging.WritePNG(t.out, result, append(chunks, file.Metadata...)...); err != nil {
		return err
	}
	if info, err := os.Stat(t.out); err == nil {
		u.written = append(u.written, info)
	}
	return nil
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
	if err := u.sampling.Validate(m.Config); err != nil {
		return err
	}
	u.m = m
	u.made = provenance{Model: hash, Seed: u.sampling.Seed, Options: options, Engine: eng.Name}
	return nil
}

// show prints the progress of the only picture, or of all pictures.
func (u *upscaling) show(i int, s srdiff.SampleStep) {
	share := float64(s.Done*s.Tiles+s.Tile) / float64(s.Steps*s.Tiles)
	if !u.several {
		u.line.show(s.Done == s.Steps, "%d of %d steps%s", s.Done, s.Steps, u.rest.left(share, 1))
		return
	}
	left := u.rest.left(u.done+u.tasks[i].pixels*share, u.work)
	if left != "" {
		left += " for all"
	}
	u.line.show(false, "picture %d of %d: %d of %d steps%s", i+1, len(u.tasks), s.Done, s.Steps, left)
}

// comparison returns a sheet of interpolated enlargements and the model's result. It shows the
// middle of large pictures, because differences are visible only at full size.
func comparison(img, result image.Image) image.Image {
	size := img.Bounds().Size()
	factor := result.Bounds().Dx() / size.X
	side := 1024 / factor // of the input, at most
	middle := image.Rectangle{Max: image.Pt(min(size.X, side), min(size.Y, side))}
	middle = middle.Add(size.Sub(middle.Size()).Div(2))
	crop := func(img image.Image, times int) *image.NRGBA {
		part := image.NewNRGBA(image.Rectangle{Max: middle.Size().Mul(times)})
		draw.Draw(part, part.Rect, img, img.Bounds().Min.Add(middle.Min.Mul(times)), draw.Src)
		return part
	}
	low, made := crop(img, 1), crop(result, factor)
	nearest := image.NewNRGBA(made.Rect)
	draw.NearestNeighbor.Scale(nearest, nearest.Rect, low, low.Rect, draw.Src, nil)
	visible := imaging.Visible(low)
	caption := "result"
	if middle.Size() != size {
		caption = "result, its middle"
	}
	return imaging.Grid(2, []string{"nearest", "bilinear", "bicubic", caption}, nearest,
		imaging.Bilinear(visible, made.Rect.Dx(), made.Rect.Dy()).As(low),
		imaging.Bicubic(visible, made.Rect.Dx(), made.Rect.Dy()).As(low), made)
}
