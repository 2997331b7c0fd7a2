// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	factor                   int // the model's
	compare                  bool
	sampling                 srdiff.SampleOptions
}

func upscaleCommand() *cobra.Command {
	var o upscaleOptions
	cmd := &cobra.Command{
		Use:   "upscale --model FILE IN... [-o OUT]",
		Short: "Enlarge pictures",
		Long: "Enlarge pictures by the model's factor in each direction. IN is a picture, or a folder, whose pictures are enlarged one\n" +
			"after the other; those in folders below it are not. Of several pictures, those whose results are there already, made from\n" +
			"the same pictures in the same way, are left as they are. Results are PNG files that carry what made them; see --like.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tasks, several, err := o.tasks(args)
			if err != nil {
				return err
			}
			u := upscaling{upscaleOptions: &o, flags: cmd.Flags(), out: cmd.OutOrStdout(), log: cmd.ErrOrStderr(),
				tasks: tasks, several: several}
			return u.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.model, "model", "", "model file, from srdiff train or PyTorch")
	flags.StringVarP(&o.out, "output", "o", "",
		"name of the result (default: IN-x4.png beside IN); for several pictures, the folder of the results")
	flags.BoolVar(&o.compare, "compare", false, "write OUT-compare.png too: the result beside plain enlargements")
	flags.StringVar(&o.like, "like", "", "PNG file that upscale has made: take its seed and options, and refuse another model")
	flags.Var((*byteCount)(&o.sampling.Memory), "memory", "how much memory may be taken, such as 4GB (default: 2GB)")
	seedFlag(flags, &o.sampling.Seed)
	samplingFlags(flags, &o.sampling)
	predictionFlag(flags, &o.sampling)
	engineFlag(flags, &o.engine)
	required(cmd, "model")
	return cmd
}

// task is a picture to be enlarged.
type task struct {
	in, out string
	pixels  float64 // of in, for the time that is left; 0 where that cannot be read
}

// sheet is the name of the sheet that compares the result.
func (t task) sheet() string { return strings.TrimSuffix(t.out, filepath.Ext(t.out)) + "-compare.png" }

// tasks are the pictures that the command line names, with the names of their results. They are several where it names a folder,
// even if that holds but one.
func (o *upscaleOptions) tasks(args []string) (list []task, several bool, err error) {
	several = len(args) > 1
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			list = append(list, task{in: arg}) // one that cannot be read is spoken of when its turn comes
			continue
		}
		several = true
		switch results, err := os.Stat(o.out); {
		case o.out == "":
			return nil, several, fmt.Errorf("%s is a folder: name one for the results, with -o", arg)
		case err == nil && os.SameFile(info, results):
			return nil, several, fmt.Errorf("the results would be among the pictures of %s: name another folder, with -o", arg)
		}
		names, err := picturesIn(arg)
		if err != nil {
			return nil, several, err
		}
		for _, name := range names {
			list = append(list, task{in: name})
		}
	}
	if info, err := os.Stat(o.out); several && (strings.EqualFold(filepath.Ext(o.out), ".png") || err == nil && !info.IsDir()) {
		return nil, several, fmt.Errorf("the results are several: want a folder for them, not %s", o.out)
	}
	if !several && o.out != "" && !strings.EqualFold(filepath.Ext(o.out), ".png") {
		return nil, several, fmt.Errorf("the result is a PNG, not what %s says: want a name that ends in .png", o.out)
	}
	return list, several, o.nameResults(list, several)
}

// nameResults gives every picture its result, and no two the same. In a folder with a.png and a.jpg their results are called
// a.png-x4.png and a.jpg-x4.png.
func (o *upscaleOptions) nameResults(list []task, several bool) error {
	config, err := srdiff.ReadConfig(o.model)
	if err != nil {
		return err
	}
	o.factor = config.Factor
	named := func(stem string) string {
		name := fmt.Sprintf("%s-x%d.png", stem, o.factor)
		if several && o.out != "" {
			return filepath.Join(o.out, filepath.Base(name))
		}
		return cmp.Or(o.out, name)
	}
	short := func(t task) string { return named(strings.TrimSuffix(t.in, filepath.Ext(t.in))) }
	key := func(path string) string { return strings.ToLower(filepath.Clean(path)) } // as some systems compare names
	count, from, inputs := map[string]int{}, map[string]string{}, map[string]bool{}
	for _, t := range list {
		count[key(short(t))]++
		inputs[key(t.in)] = true
	}
	for i := range list {
		t := &list[i]
		if t.out = short(*t); count[key(t.out)] > 1 {
			t.out = named(t.in)
		}
		if other, taken := from[key(t.out)]; taken {
			return fmt.Errorf("%s and %s would both become %s: enlarge them one at a time", other, t.in, t.out)
		}
		from[key(t.out)] = t.in
		for _, path := range []string{t.out, t.sheet()} {
			if inputs[key(path)] {
				return fmt.Errorf("%s would be replaced by what is made of %s: name another place for it, with -o", path, t.in)
			}
		}
		if info, err := os.Stat(t.in); several && err == nil && info.Mode().IsRegular() {
			size, _ := imaging.Size(t.in) // what is wrong with it is said later
			t.pixels = float64(size.X) * float64(size.Y)
		}
	}
	return nil
}

// picturesIn lists the files of a folder that have a picture's name, in order.
func picturesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		info, err := os.Stat(name) // of what a link points to
		if err == nil && info.Mode().IsRegular() && !strings.HasPrefix(entry.Name(), ".") &&
			slices.Contains(imaging.Suffixes, strings.ToLower(filepath.Ext(name))) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s holds no pictures: want files that end in %s", dir, strings.Join(imaging.Suffixes, ", "))
	}
	return names, nil
}

// upscaling is the work on all pictures.
type upscaling struct {
	*upscaleOptions
	flags    *pflag.FlagSet
	out, log io.Writer
	tasks    []task
	several  bool // see upscaleOptions.tasks

	m    *srdiff.Model // nil until the first picture needs it
	made record        // of results, but for the input

	line       *progressLine
	rest       remaining
	work, done float64 // pixels: all that are to be enlarged, and those that have been
}

func (u *upscaling) run(ctx context.Context) error {
	u.line = newProgressLine(u.log)
	for _, t := range u.tasks {
		u.work += t.pixels
	}
	failed := 0
	for i, t := range u.tasks {
		bad, err := u.enlarge(ctx, i, t)
		switch {
		case err != nil && ctx.Err() != nil && u.several:
			return fmt.Errorf("%w; what is made stays, and the same command goes on from there", err)
		case err != nil:
			return err
		case bad != nil && !u.several:
			return bad
		case bad != nil:
			failed++
			u.work -= t.pixels
			fmt.Fprintln(u.log, bad)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d pictures could not be enlarged", failed, len(u.tasks))
	}
	return nil
}

// enlarge makes one result. A fault of the picture itself is bad, what ends all the work is err.
func (u *upscaling) enlarge(ctx context.Context, i int, t task) (bad, err error) {
	file, bad := imaging.Read(t.in)
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
	if u.several && made.isIn(t.out) && (!u.compare || made.isIn(t.sheet())) {
		u.work -= t.pixels
		fmt.Fprintf(u.out, "%s: is there already\n", t.out)
		return nil, nil
	}
	for _, remark := range file.Remarks {
		fmt.Fprintf(u.log, "%s: %s\n", t.in, remark)
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
	if u.several {
		if err := os.MkdirAll(filepath.Dir(t.out), 0o755); err != nil {
			return nil, err
		}
	}
	chunks := append(file.Colour, made.chunk())
	if u.compare {
		ofSheet := chunks
		if m := result.ColorModel(); m == color.GrayModel || m == color.Gray16Model {
			ofSheet = chunks[len(chunks)-1:] // a profile for grey does not fit a sheet in RGB
		}
		if err := imaging.WritePNG(t.sheet(), comparison(file.Image, result), ofSheet...); err != nil {
			return nil, err
		}
	}
	if err := imaging.WritePNG(t.out, result, chunks...); err != nil {
		return nil, err
	}
	fmt.Fprintf(u.out, "%s: %dx%d\n", t.out, result.Bounds().Dx(), result.Bounds().Dy())
	return nil, nil
}

// open reads the model, and settles how it is sampled. The first input is what --like may have been made from.
func (u *upscaling) open(input string) error {
	eng, err := engine.Open(u.engine)
	if err != nil {
		return err
	}
	m, hash, err := load(eng.Backend, u.model)
	if err != nil {
		return err
	}
	options := optionsOf(u.flags, m.Config)
	if u.like != "" {
		old, err := recordOf(u.like)
		if err != nil {
			return err
		}
		if old.Model != hash {
			return fmt.Errorf("%s was made by another model than %s, whose SHA-256 begins with %.12q and not %.12q", u.like, u.model,
				hash, old.Model)
		}
		again, err := old.repeat(u.like, u.flags, m.Config)
		if err != nil {
			return err
		}
		again.Prediction, again.Memory = u.sampling.Prediction, u.sampling.Memory
		u.sampling, options = again, old.Options
		if old.Engine != eng.Name || old.Version != srdiff.Version() {
			fmt.Fprintf(u.log, "%s was made by srdiff %q on the engine %q, and this is %q on %q: the results may differ\n",
				u.like, old.Version, old.Engine, srdiff.Version(), eng.Name)
		}
		if len(u.tasks) == 1 && old.Input != input {
			fmt.Fprintf(u.log, "%s was made from another picture than %s\n", u.like, u.tasks[0].in)
		}
	}
	if err := u.sampling.Validate(m.Config); err != nil {
		return err
	}
	u.m = m
	u.made = record{Model: hash, Seed: u.sampling.Seed, Options: options, Engine: eng.Name}
	return nil
}

// show says how far the work is: on its only picture, or on all of them.
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

// comparison is a sheet of plain enlargements of a picture and of what the model made of it. Of large ones it shows the
// middle, since only at full size can they be told apart.
func comparison(img, result image.Image) image.Image {
	size := img.Bounds().Size()
	factor := result.Bounds().Dx() / size.X
	side := 1024 / factor // of the input, at most
	middle := image.Rectangle{Max: image.Pt(min(size.X, side), min(size.Y, side))}
	middle = middle.Add(size.Sub(middle.Size()).Div(2))
	cut := func(img image.Image, times int) *image.NRGBA {
		part := image.NewNRGBA(image.Rectangle{Max: middle.Size().Mul(times)})
		draw.Draw(part, part.Rect, img, img.Bounds().Min.Add(middle.Min.Mul(times)), draw.Src)
		return part
	}
	low, made := cut(img, 1), cut(result, factor)
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
