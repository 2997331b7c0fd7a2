// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// bytesPerPixel estimates the file size of a result per pixel: photographs take more, and flat
// pictures take less.
const bytesPerPixel = 1

// defaultTimes is how many times larger results are, unless the command line says otherwise.
const defaultTimes = 4

// planResults names every result, and checks before the work that the results can be written and
// replace only earlier results. An error of one picture among several is added to in.failed.
func (o *upscaleOptions) planResults(in *inputs, terminal bool) error {
	if err := o.checkOutput(in, terminal); err != nil {
		return err
	}
	if err := o.sizeOfLike(); err != nil {
		return err
	}
	var err error
	if o.source, err = findModel(o.model, o.times(in)); err != nil {
		return err
	}
	if o.noisy > 0 {
		if o.source, err = o.source.denoised(1 - o.noisy); err != nil {
			return err
		}
	}
	if o.config, err = o.source.config(); err != nil {
		return err
	}
	ps := newDestinations()
	if o.intoFolder(in) {
		if _, err := ps.at(o.out); err != nil {
			return err
		}
	}
	o.nameResults(in, ps)
	if err := o.shard.keep(in); err != nil { // after the names, which do not depend on the shares
		return err
	}
	if err := o.checkResults(in, ps); err != nil {
		return err
	}
	if !in.several && len(in.failed) > 0 {
		return in.failed[0]
	}
	return nil
}

// times returns how many times larger a model must make the pictures to reach the size that is
// asked for: as many times as the picture that needs the most.
func (o *upscaleOptions) times(in *inputs) float64 {
	most := o.size.Scale
	for _, t := range in.tasks {
		if t.info == nil || !t.info.Mode().IsRegular() {
			continue
		}
		if size, err := imaging.Size(t.in); err == nil { // reading it reports its errors
			most = max(most, o.size.scale(size))
		}
	}
	return cmp.Or(most, defaultTimes)
}

// sizeOfLike takes the size of the results from the picture of --like.
func (o *upscaleOptions) sizeOfLike() error {
	if o.like == "" {
		return nil
	}
	old, err := readProvenance(o.like)
	if err != nil {
		return err
	}
	if o.size != (targetSize{}) && o.size != old.Size {
		return fmt.Errorf("the size of the result is not what %s was made with: omit it, or omit --like", o.like)
	}
	o.size = old.Size
	return nil
}

// checkOutput returns an error for an --output that does not suit the inputs.
func (o *upscaleOptions) checkOutput(in *inputs, terminal bool) error {
	toPipe := o.toPipe(in)
	info, err := os.Stat(o.out)
	isFolder := err == nil && info.IsDir()
	switch isPicture := imaging.FormatOf(o.out) != ""; {
	case toPipe && o.asJSON:
		return errors.New("--json writes to standard output, and so does the result: name a file, with -o")
	case o.out == pipe && in.several:
		return errors.New("standard output takes one picture: want a folder for several, with -o")
	case toPipe && o.compare:
		return errors.New("--compare writes two pictures, and standard output takes one: name a file, with -o")
	case toPipe && terminal:
		return errors.New("a PNG is not written to a terminal: name a file with -o, or send standard output to one")
	case toPipe:
	case o.out == "" && in.has(pipe):
		return errors.New("the result of standard input needs a folder among several results: name one, with -o")
	case in.several && !isFolder && (isPicture || err == nil):
		return fmt.Errorf("the results are several: want a folder for them, not %s", o.out)
	case !in.several && o.out != "" && !o.intoFolder(in) && !isPicture:
		return fmt.Errorf("the result cannot be called %s: want a name that ends in .png, .jpg, .webp or .tif, or a folder's name that ends in %c",
			o.out, filepath.Separator)
	}
	return nil
}

// toPipe reports whether the only result goes to standard output.
func (o *upscaleOptions) toPipe(in *inputs) bool {
	return o.out == pipe || o.out == "" && !in.several && in.has(pipe)
}

// intoFolder reports whether --output names a folder.
func (o *upscaleOptions) intoFolder(in *inputs) bool {
	if o.out == "" || o.toPipe(in) {
		return false
	}
	info, err := os.Stat(o.out)
	return in.several || err == nil && info.IsDir() || os.IsPathSeparator(o.out[len(o.out)-1])
}

// nameResults gives every picture a unique result. In a folder with a.png and a.jpg their results
// are called a.png-x4.png and a.jpg-x4.png; with A.jpg too, so that names do not depend on the file
// system.
func (o *upscaleOptions) nameResults(in *inputs, ps *destinations) {
	if o.toPipe(in) {
		in.tasks[0].out = pipe
		return
	}
	into := o.intoFolder(in)
	named := func(t task, suffix string) string {
		switch {
		case into:
			return below(o.out, strings.TrimSuffix(t.rel, suffix)+o.size.suffix(o.config.Factor)+".png")
		case o.out != "":
			return o.out
		}
		return strings.TrimSuffix(t.in, suffix) + o.size.suffix(o.config.Factor) + ".png"
	}
	known := map[string][]task{} // by their short names
	in.eachTask(func(t *task) error {
		t.out = named(*t, filepath.Ext(t.rel))
		key, err := ps.key(t.out)
		if err != nil {
			return err
		}
		key = strings.ToLower(key)
		if slices.ContainsFunc(known[key], t.isSame) {
			return errDuplicate
		}
		known[key] = append(known[key], *t)
		return nil
	})
	from := map[string]string{}
	in.eachTask(func(t *task) error {
		key, err := ps.key(t.out)
		if err == nil && len(known[strings.ToLower(key)]) > 1 {
			t.out = named(*t, "")
			key, err = ps.key(t.out)
		}
		if err != nil {
			return err
		}
		if other, taken := from[key]; taken {
			return fmt.Errorf("%s is not enlarged: it and %s would both become %s", t.in, other, t.out)
		}
		from[key] = t.in
		return nil
	})
}

// below returns the path of a file below a folder. Unlike filepath.Join it leaves the folder's path
// as it is: see split.
func below(folder, rel string) string {
	if os.IsPathSeparator(folder[len(folder)-1]) {
		return folder + rel
	}
	return folder + string(filepath.Separator) + rel
}

// errDuplicate drops a picture that was given twice.
var errDuplicate = errors.New("given before")

// isSame reports whether two tasks have the same file under the same name.
func (t task) isSame(other task) bool {
	return t.info != nil && other.info != nil && os.SameFile(t.info, other.info) &&
		strings.EqualFold(filepath.Base(t.in), filepath.Base(other.in))
}

// eachTask calls check for every task, and moves those for which it returns an error to the failed
// ones.
func (in *inputs) eachTask(check func(*task) error) {
	var good []task
	for _, t := range in.tasks {
		switch err := check(&t); {
		case err == nil:
			good = append(good, t)
		case err != errDuplicate:
			in.failed = append(in.failed, err)
		}
	}
	in.tasks = good
}

// checkResults checks the existing files that results would replace, and the space that new results
// need.
func (o *upscaleOptions) checkResults(in *inputs, ps *destinations) error {
	model, err := o.source.info()
	if err != nil {
		return fmt.Errorf("model %s: %w", o.source, reason(err))
	}
	var keep []fs.FileInfo
	if model != nil {
		keep = append(keep, model)
	}
	if o.like != "" {
		if _, err := readProvenance(o.like); err != nil {
			return err
		}
		if like, err := os.Stat(o.like); err == nil && !in.several {
			keep = append(keep, like)
		}
	}
	for _, t := range in.tasks {
		if t.info != nil {
			keep = append(keep, t.info)
		}
	}
	var room diskSpace
	into := o.intoFolder(in)
	in.eachTask(func(t *task) error {
		if t.info != nil && t.info.Mode().IsRegular() {
			size, _ := imaging.Size(t.in) // reading it reports its errors
			t.pixels = float64(size.X) * float64(size.Y)
			t.target = o.size.of(size, o.config.Factor)
		}
		if t.out == pipe {
			return nil
		}
		for _, path := range o.writes(*t) {
			if err := o.checkResult(t.in, path, keep, into, ps); err != nil {
				return err
			}
		}
		if _, err := os.Stat(t.out); err == nil {
			return nil // it is replaced or kept
		}
		folder, _ := split(t.out)
		if p, err := ps.at(folder); err == nil {
			room.add(p.exists, uint64(float64(t.target.X)*float64(t.target.Y)*bytesPerPixel))
		}
		return nil
	})
	return room.check()
}

// writes lists the files that a task writes.
func (o *upscaleOptions) writes(t task) []string {
	if o.compare {
		return []string{t.out, t.sheet()}
	}
	return []string{t.out}
}

// checkResult checks one file that is to be written for a picture.
func (o *upscaleOptions) checkResult(in, path string, keep []fs.FileInfo, intoFolder bool, ps *destinations) error {
	if err := ps.check(path, intoFolder); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && slices.ContainsFunc(keep, func(k fs.FileInfo) bool { return os.SameFile(k, info) }) {
		return fmt.Errorf("%s would be replaced by the result of %s: give the result another name, with -o", path, in)
	}
	return replaceable(path, o.overwrite)
}

// replaceable returns an error for a path that a result must not replace: a folder, a file that is
// not regular, or, without overwrite, a file that srdiff did not make.
func replaceable(path string, overwrite bool) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil // nothing is replaced; destinations finds other errors
	case info.IsDir():
		return fmt.Errorf("write %s: it is a folder; give the name of a file", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("write %s: it is not a regular file and cannot be replaced", path)
	case !overwrite && !isMadeBySrdiff(path):
		return fmt.Errorf("%s exists and srdiff did not make it: give another name, or --overwrite", path)
	}
	return nil
}
