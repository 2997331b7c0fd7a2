// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package serve

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// state is where a job stands.
type state string

const (
	waiting state = "waiting"
	running state = "running"
	done    state = "done"
	failed  state = "failed"
)

// layer is one of the pictures that the page shows of a job.
type layer string

const (
	before layer = "before" // the input
	result layer = "result" // with the whole detail
	mean   layer = "mean"   // without detail, of a model that refines
)

// job is a picture that is to be enlarged. The page gets its exported fields as JSON.
type job struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"` // of the upload, never a path
	Result   string   `json:"result"`
	Model    string   `json:"model"`
	State    state    `json:"state"`
	Error    string   `json:"error,omitempty"`
	Remarks  []string `json:"remarks,omitempty"`
	Share    float64  `json:"share"` // of the work that is done
	Progress string   `json:"progress"`
	Detail   bool     `json:"detail"` // the strength can be chosen

	InWidth  int `json:"inWidth"` // 0 until the input is read
	InHeight int `json:"inHeight"`
	Width    int `json:"width"`
	Height   int `json:"height"`
	Rows     int `json:"rows"` // of the result that are there

	settings Settings
	folder   string
	ctx      context.Context
	cancel   context.CancelFunc
	removed  bool

	colour  []imaging.Chunk // of the tiles
	layers  map[layer]*raster
	refined *refined

	encoding sync.Mutex // of the result
	encoded  *float64   // the strength of the result's file, nil if there is none
}

func (j *job) upload() string { return filepath.Join(j.folder, "upload") }
func (j *job) output() string { return filepath.Join(j.folder, "output") }

// newJob makes a job, which does not wait yet: its upload is still to be written.
func (s *Server) newJob(name string, settings Settings) (*job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.jobs) >= maxJobs {
		return nil, fmt.Errorf("there are %d pictures already: remove some", maxJobs)
	}
	s.lastID++
	j := &job{ID: fmt.Sprint(s.lastID), Name: name, Model: settings.Model, settings: settings, layers: map[layer]*raster{}}
	j.folder = filepath.Join(s.folder, j.ID)
	if err := os.Mkdir(j.folder, 0o700); err != nil {
		return nil, diskError(err)
	}
	j.ctx, j.cancel = context.WithCancel(s.ctx)
	s.jobs = append(s.jobs, j)
	return j, nil
}

// maxJobs bounds how many pictures the page holds.
const maxJobs = 100

// submit has a job wait for its turn, or fail if its upload is bad.
func (s *Server) submit(j *job, bad error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.State = waiting; bad != nil {
		j.State, j.Error = failed, bad.Error()
	}
	s.awake()
}

// awake has the worker look for a job.
func (s *Server) awake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// find returns a job, or nil if there is none.
func (s *Server) find(id string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.jobs, func(j *job) bool { return j.ID == id }); i >= 0 {
		return s.jobs[i]
	}
	return nil
}

// remove ends a job and removes its files, the worker's when it lets go of them.
func (s *Server) remove(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.cancel()
	s.jobs = slices.DeleteFunc(s.jobs, func(other *job) bool { return other == j })
	if j.removed = true; j.State != running {
		j.close()
	}
}

// close closes and removes a job's files.
func (j *job) close() {
	j.cancel()
	for _, r := range j.layers {
		r.close()
	}
	if j.refined != nil {
		j.refined.close()
	}
	os.RemoveAll(j.folder)
}

// work runs the jobs, one after the other in the order of their uploads.
func (s *Server) work() {
	for s.ctx.Err() == nil {
		j := s.next()
		if j == nil {
			select {
			case <-s.wake:
			case <-s.ctx.Done():
			}
			continue
		}
		err := s.run(j)
		s.mu.Lock()
		j.State = done
		if err != nil {
			j.State, j.Error = failed, err.Error()
		}
		if j.removed {
			j.close()
		}
		s.mu.Unlock()
	}
}

// next returns the job whose turn it is, or nil if none waits.
func (s *Server) next() *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.State == waiting {
			j.State = running
			return j
		}
	}
	return nil
}

// run makes a job's result.
func (s *Server) run(j *job) error {
	file, err := j.read()
	if err != nil {
		return err
	}
	e, err := s.program.Open(j.settings)
	if err == nil {
		err = e.Check(file, j.settings.Format)
	}
	if err == nil {
		err = s.program.CheckSpace(j.folder, s.bytes(j, file, e))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", j.Name, err)
	}
	if err := s.show(j, file, e); err != nil {
		return err
	}
	progress := func(share float64, text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		j.Share, j.Progress = share, text
	}
	if e.Detail() {
		err = j.refine(e, file, progress)
	} else {
		strips := e.Resize(file, e.Enlarge(j.ctx, file, progress, nil))
		err = j.encode(e, file, watched(strips, drawingRows(e.Output(file, j.settings.Format), j.layers[result])))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", j.Name, err)
	}
	return nil
}

// bytes is about how many bytes a job's files take beside its upload: the result, at four bytes a
// pixel, the layers, and both parts of a refined picture at the model's factor.
func (s *Server) bytes(j *job, file *imaging.File, e Enlarger) int64 {
	from, out := file.Image.Bounds().Size(), e.Output(file, j.settings.Format)
	to := image.Pt(out.Width, out.Height)
	bytes := rasterBytes(from) + rasterBytes(to) + 4*int64(to.X)*int64(to.Y)
	if e.Detail() {
		models := s.program.Models()
		at := slices.IndexFunc(models, func(m Model) bool { return m.Name == j.Model })
		factor := int64(models[at].Factor)
		bytes += rasterBytes(to) + refinedBytes*factor*factor*int64(from.X)*int64(from.Y)
	}
	return bytes
}

// read reads a job's upload. Its errors are those of the command.
func (j *job) read() (*imaging.File, error) {
	f, err := os.Open(j.upload())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := imaging.ReadFrom(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.Name, err)
	}
	return file, nil
}

// show makes the layers, and has the page show the input.
func (s *Server) show(j *job, file *imaging.File, e Enlarger) error {
	out, from := e.Output(file, j.settings.Format), file.Image.Bounds().Size()
	sizes := map[layer]image.Point{before: from, result: image.Pt(out.Width, out.Height)}
	if e.Detail() {
		sizes[mean] = sizes[result]
	}
	layers, err := j.newLayers(sizes)
	if err == nil {
		err = layers[before].addAll(file.Image)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.layers, j.Detail = layers, e.Detail()
	j.InWidth, j.InHeight, j.Width, j.Height = from.X, from.Y, out.Width, out.Height
	j.Result, j.Remarks = e.Name(j.Name, out.Format), slices.Concat(file.Remarks, out.Omitted())
	if !isGrey(file.Image) { // a profile for grey does not fit tiles in RGB
		j.colour = file.Colour
	}
	return err
}

// newLayers makes the files of layers. After an error it returns those that are there.
func (j *job) newLayers(sizes map[layer]image.Point) (map[layer]*raster, error) {
	layers := map[layer]*raster{}
	for name, size := range sizes {
		r, err := newRaster(filepath.Join(j.folder, "layer-"+string(name)), size)
		if err != nil {
			return layers, diskError(err)
		}
		layers[name] = r
	}
	return layers, nil
}

// refine samples a job's picture, keeps its two parts, and draws the layers while they come.
func (j *job) refine(e Enlarger, file *imaging.File, progress func(float64, string)) error {
	kept, err := newRefined(filepath.Join(j.folder, "refined"))
	if err != nil {
		return diskError(err)
	}
	j.refined = kept
	drawn := make(chan error)
	for name, fidelity := range map[layer]float64{result: 0, mean: 1} {
		draw := drawingRows(e.Output(file, j.settings.Format), j.layers[name])
		mixed := kept.strips(func(r srdiff.Refined) imaging.Picture { return r.At(fidelity) })
		go func() { drawn <- drain(watched(e.Resize(file, mixed), draw)) }()
	}
	err = kept.end(drain(e.Enlarge(j.ctx, file, progress, kept.add)))
	return cmp.Or(err, <-drawn, <-drawn)
}

// drain takes all strips and returns their error.
func drain(strips imaging.Strips) error {
	for _, err := range strips {
		if err != nil {
			return err
		}
	}
	return nil
}

// drawingRows returns a function that draws strips of a result.
func drawingRows(out imaging.Output, to *raster) func(imaging.Picture) error {
	rows := out.Rows()
	return func(strip imaging.Picture) error { return to.add(rows(strip)) }
}

// watched passes strips on, after a call of watch.
func watched(strips imaging.Strips, watch func(imaging.Picture) error) imaging.Strips {
	return func(yield func(imaging.Picture, error) bool) {
		for strip, err := range strips {
			if err == nil {
				err = watch(strip)
			}
			if !yield(strip, err) || err != nil {
				return
			}
		}
	}
}

// encode writes a job's result.
func (j *job) encode(e Enlarger, file *imaging.File, strips imaging.Strips) error {
	f, err := os.Create(j.output())
	if err != nil {
		return diskError(err)
	}
	err = e.Output(file, j.settings.Format).Encode(f, strips)
	if closing := f.Close(); err == nil && closing != nil {
		err = diskError(closing)
	}
	return err
}

// open returns the result of a strength, which is made now unless it is there already.
func (s *Server) open(j *job, strength float64) (*os.File, error) {
	j.encoding.Lock()
	defer j.encoding.Unlock()
	if err := j.ctx.Err(); err != nil {
		return nil, err // the job is removed
	}
	if j.refined != nil && (j.encoded == nil || *j.encoded != strength) {
		j.encoded = nil
		settings := j.settings
		settings.Strength = strength
		e, err := s.program.Open(settings)
		if err != nil {
			return nil, err
		}
		file, err := j.read()
		if err == nil {
			stopping := watched(j.refined.strips(e.Mix), func(imaging.Picture) error { return j.ctx.Err() })
			err = j.encode(e, file, e.Resize(file, stopping))
		}
		if err != nil {
			return nil, err
		}
		j.encoded = &strength
	}
	return os.Open(j.output())
}

func isGrey(img image.Image) bool {
	switch img.(type) {
	case *image.Gray, *image.Gray16:
		return true
	}
	return false
}
