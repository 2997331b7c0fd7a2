// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package serve serves the local page of "srdiff serve", on which people enlarge pictures.
//
// A picture that is uploaded becomes a job (jobs.go). One job runs at a time. Its input and its
// result go to files in a temporary folder (raster.go, refined.go), from which the page gets tiles
// (api.go). guard.go refuses the requests that do not come from the page. The folder page holds the
// page.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// Settings are what the page asks for.
type Settings struct {
	Model    string
	Scale    float64        // how many times larger in each direction; 0 for the model's factor
	Format   imaging.Format // of the result
	Strength float64        // of the detail, 0 to 1; 1 for a model without detail
}

// Model describes a model for the page.
type Model struct {
	Name   string `json:"name"`
	For    string `json:"for"` // which pictures it is for, "" if unknown
	Factor int    `json:"factor"`
	Detail bool   `json:"detail"` // it refines, so that Settings.Strength acts
}

// Program makes results as the command does.
type Program interface {
	// Models lists the models, the default first.
	Models() []Model
	// Check returns an error for settings that Open would refuse.
	Check(Settings) error
	// Open returns what enlarges pictures with the settings. Several goroutines call it.
	Open(Settings) (Enlarger, error)
	// CheckSpace returns an error if a folder's disk has less space than so many bytes.
	CheckSpace(folder string, bytes int64) error
}

// Enlarger enlarges pictures with one model and one set of options. Only Enlarge uses the model:
// one goroutine calls it at a time, and any may call the others.
type Enlarger interface {
	// Check returns an error for a picture that the model does not take, or whose result the format
	// cannot hold.
	Check(*imaging.File, imaging.Format) error
	// Output describes the result.
	Output(*imaging.File, imaging.Format) imaging.Output
	// Name returns the name of the result, given its input's.
	Name(name string, format imaging.Format) string
	// Enlarge enlarges a picture by the model's factor. It calls progress with the share that is
	// done and words for it, and refined as srdiff.SampleOptions.Refined.
	Enlarge(ctx context.Context, file *imaging.File, progress func(share float64, text string), refined func(srdiff.Refined)) imaging.Strips
	// Resize brings the strips of Enlarge to the size of Output.
	Resize(*imaging.File, imaging.Strips) imaging.Strips
	// Mix returns rows of the result of a model that refines.
	Mix(srdiff.Refined) imaging.Picture
	// Detail reports whether the model refines.
	Detail() bool
}

// Server is the page with its jobs. It is an http.Handler.
type Server struct {
	program Program
	guard   *guard
	routes  http.Handler
	folder  string // of the jobs' files

	ctx    context.Context // of all jobs
	end    context.CancelFunc
	worker sync.WaitGroup

	mu     sync.Mutex
	jobs   []*job // in the order of their uploads; their fields too are under mu
	lastID int
	wake   chan struct{} // has a value while there may be a job that waits
}

// New returns a server that answers requests for a host, such as 127.0.0.1:8080, alone. Close ends
// it.
func New(program Program, host string) (*Server, error) {
	folder, err := os.MkdirTemp("", "srdiff-serve-")
	if err != nil {
		return nil, fmt.Errorf("no folder for results can be made: %w", err)
	}
	s := &Server{program: program, guard: newGuard(host), folder: folder, wake: make(chan struct{}, 1)}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.routes = s.handler()
	s.worker.Go(s.work)
	return s, nil
}

// Address is the address of the page. Anyone who knows it can use the page.
func (s *Server) Address() string { return s.guard.origin + "/" + s.guard.token + "/" }

// Ticket is an address that leads to the page once. A browser can be started with it: other users
// of the machine see the arguments of programs.
func (s *Server) Ticket() string { return s.guard.origin + "/open/" + s.guard.ticket }

// Close ends the jobs and removes all their files.
func (s *Server) Close() error {
	s.end()
	s.worker.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		j.encoding.Lock() // encoding has ended
		j.close()
		j.encoding.Unlock()
	}
	return os.RemoveAll(s.folder)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.guard.serve(w, r, s.routes) }

// Run serves at a listener until ctx ends, and then ends all jobs and removes their files. It calls
// ready when the page can be opened.
func Run(ctx context.Context, at net.Listener, program Program, ready func(*Server)) error {
	s, err := New(program, at.Addr().String())
	if err != nil {
		return errors.Join(err, at.Close())
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(at) }()
	ready(s)
	select {
	case err = <-ended:
	case <-ctx.Done():
		s.end() // so that no request waits for a job
		inOrder, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(inOrder) != nil {
			err = server.Close() // a download goes on
		}
	}
	return errors.Join(err, s.Close())
}
