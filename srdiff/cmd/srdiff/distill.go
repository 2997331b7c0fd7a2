// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/engine"
)

type distillOptions struct {
	model, data, out, engine    string
	from, to, stageSteps, batch int
	devices                     int
	learningRate                float64
	seed                        int64
	resume, newData             bool
}

func distillCommand() *cobra.Command {
	o := distillOptions{to: 4, stageSteps: 2000, batch: 32, learningRate: 3e-4, devices: 1}
	cmd := &cobra.Command{
		Use:   "distill --model TEACHER --data SPEC --out DIR",
		Short: "Train a model that samples in a few steps",
		Long: "Train a model that samples in a few steps by progressive distillation: a student learns to match two\n" +
			"DDIM steps of its teacher with one step, and then teaches the next student. DIR gets the last student as " + srdiff.ModelFile +
			",\na sample grid of each, and a folder for each with all that --resume needs. An interrupt saves and stops.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.ErrOrStderr()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.model, "model", "", "the teacher, which predicts v or x0")
	flags.StringVar(&o.data, "data", "", "training pictures: "+dataset.Specs())
	flags.StringVar(&o.out, "out", "", "folder for the results")
	intFlag(flags, &o.to, "to", "sampling steps of the last student")
	intFlag(flags, &o.from, "from", "sampling steps of the teacher before the first halving (default: the most that its timesteps allow)")
	intFlag(flags, &o.stageSteps, "train-steps", "training batches of each student")
	intFlag(flags, &o.batch, "batch", "pictures per batch")
	floatFlag(flags, &o.learningRate, "lr", "Adam's learning rate, which falls to 0 for each student")
	seedFlag(flags, &o.seed)
	devicesFlag(flags, &o.devices)
	flags.BoolVar(&o.resume, "resume", false, "continue the distillation in DIR from its last checkpoint")
	flags.BoolVar(&o.newData, "new-data", false, "resume with other data than the distillation began with")
	engineFlag(flags, &o.engine)
	required(cmd, "model", "data", "out")
	return cmd
}

// stages returns the sampling steps of every student.
func (o *distillOptions) stages(teacher srdiff.Config) ([]int, error) {
	from := o.from
	if teacher.Diffusion.Distilled > 0 {
		if from != 0 && from != teacher.Diffusion.Distilled {
			return nil, fmt.Errorf("--from is %d, and the teacher was itself distilled to %d steps: omit --from", from, teacher.Diffusion.Distilled)
		}
		from = teacher.Diffusion.Distilled
	}
	if from == 0 {
		for from = o.to; 2*from <= teacher.Diffusion.Timesteps; from *= 2 { // the most halvings
		}
	}
	if from > teacher.Diffusion.Timesteps {
		return nil, fmt.Errorf("--from is %d: want at most the teacher's %d timesteps", from, teacher.Diffusion.Timesteps)
	}
	var list []int
	for n := from; n > o.to; {
		if n%2 != 0 {
			break
		}
		n /= 2
		list = append(list, n)
	}
	if len(list) == 0 || list[len(list)-1] != o.to {
		return nil, fmt.Errorf("halving %d steps does not give %d: want --from to be 2, 4, 8, ... times --to", from, o.to)
	}
	return list, nil
}

func (o *distillOptions) run(ctx context.Context, log io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	onClosedPipe(log, stop) // a closed pipe ends the run as an interrupt does
	eng, err := engine.Open(o.engine)
	if err != nil {
		return err
	}
	teacher, err := srdiff.Load(eng.Backend, o.model)
	if err != nil {
		return err
	}
	stages, err := o.stages(teacher.Config)
	if err != nil {
		return err
	}
	if err := o.checkStages(stages); err != nil {
		return err
	}
	if _, err := o.student(eng.Backend, teacher, stages[0]); err != nil {
		return err // before any output
	}
	config := teacher.Config
	config.Training.Seed = o.seed
	line := newProgressLine(log)
	src, heldOut, err := openPictures(ctx, o.data, o.out, config, line)
	if err != nil {
		return err
	}
	printLine(log, "engine   %s", eng)
	printLine(log, "data     %s", src.Name())
	skipped := reportSkipped(log, src, "")
	printLine(log, "students of %v steps, %d batches each", stages, o.stageSteps)
	printLine(log, "results  %s", o.out)
	// The factor 3/2 includes the teachers' weights.
	if err := checkDiskSpace(o.out, teacher.NumParameters()*bytesPerParameter*len(stages)*3/2); err != nil {
		return err
	}
	release, err := lockFolder(o.out)
	if err != nil {
		return err
	}
	defer release()
	data := dataRecorder{dataRecord: recordOfData(o.data, src), dir: o.out}
	if data.isNew, err = data.check(o.out, o.resume, o.newData, log); err != nil {
		return err
	}
	defer data.removeUnsaved(o.stageDir(stages[0]))
	defer func() { reportSkipped(log, src, skipped) }()
	for i, steps := range stages {
		student, err := o.student(eng.Backend, teacher, steps)
		if err != nil {
			return err
		}
		student.Devices = o.devices
		reportDamaged(log, student)
		if err := o.trainStudent(ctx, student, src, heldOut, fmt.Sprintf("student %d of %d, %d steps", i+1, len(stages), steps),
			len(stages)-1-i, line, eng.Name, &data); err != nil {
			return err
		}
		teacher = student
	}
	path := filepath.Join(o.out, srdiff.ModelFile)
	if err := teacher.Save(path); err != nil {
		return err
	}
	printLine(log, "done: %s", path)
	return nil
}

// check finds mistakes of the options before the engine is opened.
func (o *distillOptions) check() error {
	if o.newData && !o.resume {
		return errors.New("--new-data has no effect without --resume: omit it")
	}
	teacher, err := os.Stat(o.model)
	if err != nil {
		return fmt.Errorf("model %s: %w", o.model, reason(err))
	}
	path := filepath.Join(o.out, srdiff.ModelFile)
	switch last, err := os.Stat(path); {
	case err == nil && os.SameFile(teacher, last):
		return fmt.Errorf("the last student would replace the teacher %s: give another --out", path)
	case err == nil && !o.resume:
		return fmt.Errorf("%s holds a %s, which the last student would replace: give another --out", o.out, srdiff.ModelFile)
	}
	if err := checkOutsideData(o.data, o.out); err != nil {
		return err
	}
	return checkRunFolder(o.out)
}

// checkStages checks the folders and the sheets of all students.
func (o *distillOptions) checkStages(stages []int) error {
	var sheets []string
	for i, steps := range stages {
		sheets = append(sheets, studentSheet(steps))
		_, err := os.Stat(o.stageDir(steps))
		switch {
		case err == nil && !o.resume:
			return fmt.Errorf("%s holds a distillation: add --resume to go on with it, or give another --out", o.out)
		case err != nil && o.resume && i == 0:
			return fmt.Errorf("nothing to resume: %w", err)
		}
		if err := checkRunFolder(o.stageDir(steps)); err != nil {
			return err
		}
	}
	return checkRunFolder(o.out, sheets...)
}

func studentSheet(steps int) string { return fmt.Sprintf("samples-%04d.png", steps) }

func (o *distillOptions) stageDir(steps int) string {
	return filepath.Join(o.out, fmt.Sprintf("steps-%04d", steps))
}

// student returns the student with the given number of sampling steps: a new one, or the one of the
// run to resume.
func (o *distillOptions) student(backend compute.Backend, teacher *srdiff.Model, steps int) (*srdiff.Model, error) {
	dir := o.stageDir(steps)
	if !hasCheckpoint(dir) {
		student, err := teacher.Student(steps)
		if err != nil {
			return nil, err
		}
		student.Config = o.config(student.Config)
		return student, nil
	}
	old, err := srdiff.Resume(backend, dir)
	if err != nil {
		return nil, err
	}
	if err := old.CheckTeacher(teacher); err != nil {
		return nil, fmt.Errorf("%s cannot be resumed: %w", dir, err)
	}
	if c := old.Config; c != o.config(c) {
		return nil, fmt.Errorf("%s was begun with --batch %d --lr %g --train-steps %d --seed %d: give the same, or give another --out",
			dir, c.Training.BatchSize, c.Training.LearningRate, c.Training.Decay, c.Training.Seed)
	}
	return old, nil
}

// config sets the training options of the students in c.
func (o *distillOptions) config(c srdiff.Config) srdiff.Config {
	c.Training.BatchSize, c.Training.LearningRate, c.Training.Seed = o.batch, o.learningRate, o.seed
	c.Training.WarmUp, c.Training.Decay, c.Training.Accumulate = 0, o.stageSteps, 1
	return c
}

// trainStudent trains one student and writes a sheet of its samples. more is the number of students
// that follow.
func (o *distillOptions) trainStudent(ctx context.Context, student *srdiff.Model, src, heldOut dataset.Source, name string, more int,
	line *progressLine, engine string, data *dataRecorder) error {
	if student.Step >= o.stageSteps {
		return nil
	}
	err := student.Train(ctx, src, o.stageSteps, o.stageDir(student.Config.Diffusion.Distilled), func(p srdiff.Progress) {
		data.writeOnce()
		all := p.Left + time.Duration(float64(more*p.Steps*student.Config.Training.BatchSize)/p.ImagesPerSecond*float64(time.Second))
		line.show(p.Step == p.Steps || ctx.Err() != nil, "%s: batch %d of %d, loss %.4f, %s left for all",
			name, p.Step, p.Steps, p.Loss, all.Round(time.Second))
	})
	line.end()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w; --resume continues from there", err)
	}
	if err == nil {
		err = data.err
	}
	if err != nil {
		return err
	}
	return sampleGrid(ctx, student, srdiff.SampleOptions{}, heldOut,
		filepath.Join(o.out, studentSheet(student.Config.Diffusion.Distilled)), line,
		provenance{Run: folderName(o.out), Engine: engine})
}
