// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"

	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/storage"
	"github.com/srdiff/srlab/srdiff/internal/worker"
)

// workerProgram does the jobs of "srdiff worker". It implements worker.Program.
type workerProgram struct {
	*loadedModels
	model  string // of jobs that name none
	memory int64
	store  *storage.Store
	remark func(name, remark string)
}

// request is a job on its way, with all that is known of it before its result is made.
type request struct {
	worker.Job
	made *worker.Made
	resultOptions
	flags *pflag.FlagSet // those of srdiff upscale that mean the same
	input *picture
}

// Read implements worker.Program.
func (w *workerProgram) Read(ctx context.Context, j worker.Job, m *worker.Made) (worker.Making, error) {
	r := &request{Job: j, made: m}
	err := r.parse()
	if err == nil {
		err = r.checkNames()
	}
	if err != nil {
		return nil, worker.Fail(worker.BadJob, err)
	}
	if _, err := findModel(cmp.Or(j.Model, w.model), defaultTimes); err != nil {
		return nil, worker.Fail(worker.BadModel, err)
	}
	if r.input, err = w.readAhead(ctx, j.Input); err != nil {
		return nil, err
	}
	make := map[string]func(context.Context, *request) (worker.Writing, error){
		worker.Upscale: w.upscale, worker.Evaluate: w.evaluate, worker.Sample: w.sample, worker.Part: w.part, worker.Join: w.join,
	}[j.Job]
	return func(ctx context.Context) (worker.Writing, error) {
		if err := r.input.decode(); err != nil {
			return worker.Writing{}, err
		}
		return make(ctx, r)
	}, nil
}

// Key implements worker.Program.
func (w *workerProgram) Key(name string) string { return storage.Key(name) }

// parse sets the options.
func (r *request) parse() error {
	r.quality = defaultQuality
	r.flags = pflag.NewFlagSet("", pflag.ContinueOnError)
	targetFlags(r.flags, &r.size)
	intFlag(r.flags, &r.quality, "quality", "")
	seedFlag(r.flags, &r.sampling.Seed)
	samplingFlags(r.flags, &r.sampling)
	seed := int64(crc32.ChecksumIEEE([]byte(storage.Base(r.Input))))
	if r.Seed != nil {
		seed = *r.Seed
	}
	for _, given := range []struct{ field, flag, value string }{
		{"scale", "scale", text64(r.Scale)},
		{"width", "width", textInt(r.Width)},
		{"height", "height", textInt(r.Height)},
		{"megapixels", "megapixels", text64(r.Megapixels)},
		{"strength", "strength", text64(r.Strength)},
		{"steps", "sampling-steps", textInt(r.Steps)},
		{"quality", "quality", textInt(r.Quality)},
		{"seed", "seed", strconv.FormatInt(seed, 10)},
	} {
		if given.value == "" {
			continue
		}
		if err := r.flags.Set(given.flag, given.value); err != nil {
			return fmt.Errorf("%q is %s: %w", given.field, given.value, cause(err))
		}
	}
	r.strip = r.Strip
	return r.check()
}

// text64 formats a number as on a command line, "" for none.
func text64(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

func textInt(v *int) string {
	if v == nil {
		return ""
	}
	return strconv.Itoa(*v)
}

// checkNames returns an error for results that are no pictures by their names, and for a result in the
// place of another of the job's files.
func (r *request) checkNames() error {
	if err := r.checkPart(); err != nil {
		return err
	}
	for _, name := range append([]string{r.Input, r.Original, r.Output, r.Spread}, r.Parts...) {
		if err := storage.Check(name); err != nil {
			return err
		}
	}
	read := append([]string{r.Input, r.Original}, r.Parts...)
	for _, out := range []struct{ field, name, want string }{
		{"output", r.Output, ".png, .jpg, .webp or .tif"},
		{"spread", r.Spread, ".png"},
	} {
		if out.name == "" {
			continue
		}
		format := imaging.FormatOf(storage.Base(out.name))
		if r.Job.Job != worker.Part && (format == "" || out.want == ".png" && format != imaging.PNG) {
			return fmt.Errorf("%q is %s: want a name that ends in %s", out.field, out.name, out.want)
		}
		for _, other := range read {
			if other != "" && storage.Same(out.name, other) {
				return fmt.Errorf("%q is %s, which is another file of this job: give it another name", out.field, out.name)
			}
		}
		read = append(read, out.name)
	}
	return nil
}

// enlarger returns the enlarger of a request with a model for enlarging so many times.
func (w *workerProgram) enlarger(r *request, times float64) (*enlarger, error) {
	source, err := findModel(cmp.Or(r.Model, w.model), times)
	if err != nil {
		return nil, worker.Fail(worker.BadModel, err)
	}
	m, err := w.load(source)
	if err != nil {
		return nil, worker.Fail(worker.BadModel, err)
	}
	r.sampling.Memory = w.memory
	e, err := newEnlarger(w.engine, m.Model, m.hash, r.resultOptions, optionsOf(r.flags, m.Config))
	if err != nil {
		return nil, worker.Fail(worker.BadJob, err)
	}
	r.made.Model, r.made.Seed, r.made.BytesIn = source.String(), e.sampling.Seed, r.input.bytes
	return e, nil
}

// allowed is the memory that the program may use, in bytes.
func (w *workerProgram) allowed() int64 { return cmp.Or(w.memory, srdiff.DefaultMemory) }

// modelError gives an error of a model its kind.
func modelError(err error) error {
	if _, ok := errors.AsType[*srdiff.MemoryError](err); ok {
		return worker.Fail(worker.Memory, err)
	}
	return worker.Fail(worker.BadModel, err)
}

// existing returns the path of a copy of the file that a result is to become, which is valid until the call
// of remove, or "" if there is no such file. One that is not regular is an error.
func (w *workerProgram) existing(ctx context.Context, name string) (path string, remove func(), err error) {
	path, remove, err = w.store.Fetch(ctx, name)
	switch {
	case storage.IsMissing(err):
		return "", nil, nil
	case err != nil:
		return "", nil, worker.Fail(worker.Write, err)
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // reading from a pipe may never end
		remove()
		return "", nil, worker.Fail(worker.Write, fmt.Errorf("%s is not a regular file and cannot be replaced: give the output another name", name))
	}
	return path, remove, nil
}

// there looks at the file that a result is to become. It returns what there is if it is complete and
// was made in the same way, and an error if it must not be replaced.
func (w *workerProgram) there(ctx context.Context, name string, made provenance) (*storage.Written, error) {
	path, remove, err := w.existing(ctx, name)
	if path == "" {
		return nil, err
	}
	defer remove()
	if made.matchesFile(path) {
		written, err := storage.Measure(path)
		return &written, worker.Fail(worker.Write, err)
	}
	if !isMadeBySrdiff(path) {
		return nil, worker.Fail(worker.Write, fmt.Errorf("%s exists and srdiff did not make it: give the output another name", name))
	}
	return nil, nil
}
