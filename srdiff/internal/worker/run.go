// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Program does jobs, each in three steps. While one job is made, the next one is read and the one
// before is written. So there is one job at each step, and memory does not grow with their number.
// Errors are those of Fail; one without a kind is of the kind BadModel.
type Program interface {
	// Read reads what a job needs, and returns how it is made.
	Read(ctx context.Context, j Job, m *Made) (Making, error)

	// Key returns a text that is the same for two names of one file.
	Key(name string) string
}

// Making makes a job's result and fills in the Made of its Read. It returns how the result is written.
type Making func(ctx context.Context) (Writing, error)

// Writing is what is left to do when a result begins to be written. Either function may be nil.
type Writing struct {
	Write func(ctx context.Context) error // returns the errors of both
	Rest  func(ctx context.Context)       // goes on with the making, while Write writes
}

// Counts are how many jobs were done, or not.
type Counts struct{ Made, Kept, Failed int }

// Run reads jobs from in, does them, and writes their results to out in the same order. A job that
// cannot be done is a result, and no error. Run returns nil at the end of in, and otherwise the error
// of in or out. When ctx ends, it drops the jobs that are not finished, of which there is no result,
// and returns an error that wraps ctx's.
func Run(ctx context.Context, in io.Reader, out io.Writer, p Program) (Counts, error) {
	asked := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &run{program: p, stop: stop, pending: &pending{key: p.Key, files: map[string]chan struct{}{}}, arrived: make(chan arrival), read: make(chan *task), made: make(chan *task, 1)}
	go r.receive(ctx, newLines(in))
	go r.readAll(ctx)
	go r.makeAll(ctx)
	counts := r.writeAll(ctx, out)
	switch {
	case asked.Err() != nil:
		return counts, fmt.Errorf("stopped: jobs without a result are to be done again: %w", asked.Err())
	case ctx.Err() != nil:
		return counts, context.Cause(ctx)
	}
	return counts, nil
}

// run is a call of Run. Its goroutines pass jobs on in their order, and end when the one before ends.
type run struct {
	program Program
	stop    context.CancelCauseFunc
	pending *pending
	arrived chan arrival
	read    chan *task // without room, so that one job is read ahead
	made    chan *task // with room for one, whose making goes on until it can be written
}

// arrival is a line of the input.
type arrival struct {
	line []byte
	err  error // errLongLine
}

// task is a job on its way.
type task struct {
	job     Job
	about   Made
	err     error
	making  Making
	writing Writing
	done    func()
}

// receive takes lines from the input. It may wait there for ever, and nobody waits for it.
func (r *run) receive(ctx context.Context, in lines) {
	defer close(r.arrived)
	for {
		line, err := in.next()
		switch {
		case err == io.EOF:
			return
		case err != nil && err != errLongLine:
			r.stop(fmt.Errorf("reading jobs from standard input: %w", err))
			return
		}
		select {
		case r.arrived <- arrival{line, err}:
		case <-ctx.Done():
			return
		}
	}
}

// readAll reads the inputs of jobs.
func (r *run) readAll(ctx context.Context) {
	defer close(r.read)
	for {
		var a arrival
		var ok bool
		select {
		case a, ok = <-r.arrived:
		case <-ctx.Done():
		}
		if !ok {
			return
		}
		t := &task{job: Job{Job: Upscale}, err: a.err, done: func() {}}
		if t.err == nil {
			t.job, t.err = ParseJob(a.line)
		}
		if t.err = Fail(BadJob, t.err); t.err == nil {
			t.done = r.pending.begin(ctx, t.job)
			t.making, t.err = r.program.Read(ctx, t.job, &t.about)
		}
		select {
		case r.read <- t:
		case <-ctx.Done():
			return
		}
	}
}

// makeAll makes results.
func (r *run) makeAll(ctx context.Context) {
	defer close(r.made)
	for t := range r.read {
		if t.err == nil {
			t.writing, t.err = t.making(ctx)
		}
		t.making = nil // it holds the input
		rest := t.writing.Rest
		r.made <- t
		if rest != nil {
			rest(ctx)
		}
	}
}

// writeAll writes results and prints what became of the jobs. It returns when no job is left.
func (r *run) writeAll(ctx context.Context, out io.Writer) (counts Counts) {
	printed := json.NewEncoder(out)
	printed.SetEscapeHTML(false)
	for t := range r.made {
		if t.err == nil && t.writing.Write != nil {
			t.err = t.writing.Write(ctx)
		}
		if ctx.Err() == nil || t.err == nil {
			if err := printed.Encode(t.result()); err != nil {
				r.stop(err)
			}
			switch {
			case t.err != nil:
				counts.Failed++
			case t.about.New:
				counts.Made++
			default:
				counts.Kept++
			}
		}
		t.done()
	}
	return counts
}

// result is what is printed of a task.
func (t *task) result() Result {
	r := Result{ID: t.job.ID, Job: t.job.Job, Input: t.job.Input, Output: t.job.Output, OK: t.err == nil}
	if r.OK {
		r.Made = &t.about
	} else {
		r.Failure = failure(t.err)
	}
	return r
}
