// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package serve

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// maxUpload is how many bytes of a picture are taken: as many as are read. Tests change it.
var maxUpload int64 = imaging.MaxBytes

//go:embed page
var page embed.FS

// handler returns the routes behind the token:
//
//	GET    /                 the page, and its files below /page/
//	GET    /state            the models and the jobs, as JSON
//	POST   /jobs             a picture's bytes; in the query name, model, scale, format, strength
//	DELETE /jobs/ID          ends a job and removes its files
//	GET    /jobs/ID/tile     a PNG of a tile; layer, level, x and y are in the query
//	GET    /jobs/ID/result   the file that the command writes; strength is in the query
//
// An error is one line of text.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, page, "page/page.html") })
	mux.Handle("GET /page/", http.FileServerFS(page))
	mux.HandleFunc("GET /state", s.getState)
	mux.HandleFunc("POST /jobs", s.postJob)
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request, *job){
		"DELETE /jobs/{id}": s.deleteJob, "GET /jobs/{id}/tile": s.getTile, "GET /jobs/{id}/result": s.getResult,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if j := s.find(r.PathValue("id")); j != nil {
				handle(w, r, j)
				return
			}
			refuse(w, http.StatusNotFound, "there is no such picture")
		})
	}
	return mux
}

func (s *Server) getState(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs := []*job{}
	for _, j := range s.jobs {
		if j.State == "" {
			continue // its upload goes on
		}
		if r := j.layers[result]; r != nil {
			j.Rows = r.rows()
			if r := j.layers[mean]; r != nil {
				j.Rows = min(j.Rows, r.rows())
			}
		}
		jobs = append(jobs, j)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"models": s.program.Models(), "jobs": jobs})
}

// postJob takes a picture. What is wrong with the picture itself becomes the job's error.
func (s *Server) postJob(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	settings, err := settingsOf(query)
	if err == nil {
		err = s.program.Check(settings)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	name := plainName(query.Get("name"))
	if r.ContentLength > maxUpload {
		refuse(w, http.StatusRequestEntityTooLarge, tooLarge(name))
		return
	}
	j, err := s.newJob(name, settings)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	err = j.receive(http.MaxBytesReader(w, r.Body, maxUpload))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		s.remove(j)
		refuse(w, http.StatusRequestEntityTooLarge, tooLarge(name))
		return
	}
	if err != nil {
		s.remove(j)
		refuse(w, http.StatusBadRequest, fmt.Sprintf("%s: the upload failed: %v", name, err))
		return
	}
	s.submit(j, j.peek())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]string{"id": j.ID})
}

func tooLarge(name string) string {
	return fmt.Sprintf("%s is too large: at most %d bytes are read", name, maxUpload)
}

// receive writes a job's upload.
func (j *job) receive(body io.Reader) error {
	f, err := os.OpenFile(j.upload(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return diskError(err)
	}
	_, err = io.Copy(f, body)
	return cmp.Or(err, f.Close())
}

// peek returns the errors of the upload that its first bytes show, so that nobody waits for them.
func (j *job) peek() error {
	f, err := os.Open(j.upload())
	if err != nil {
		return err
	}
	defer f.Close()
	if _, _, err := imaging.DecodeSize(f); err != nil {
		return fmt.Errorf("%s: %w", j.Name, err)
	}
	return nil
}

// formats are the formats of results by their names in a query.
var formats = map[string]imaging.Format{"png": imaging.PNG, "jpeg": imaging.JPEG, "tiff": imaging.TIFF, "webp": imaging.WebP}

// settingsOf reads settings from a query.
func settingsOf(query url.Values) (Settings, error) {
	s := Settings{Model: query.Get("model"), Format: formats[cmp.Or(query.Get("format"), "png")]}
	if s.Format == "" {
		return s, fmt.Errorf("format is %q: want png, jpeg, tiff or webp", query.Get("format"))
	}
	if text := query.Get("scale"); text != "" {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v > 0) {
			return s, fmt.Errorf("scale is %q: want a value greater than 0", text)
		}
		s.Scale = v
	}
	var err error
	s.Strength, err = strengthOf(query)
	return s, err
}

// strengthOf reads the strength from a query, 1 if it has none.
func strengthOf(query url.Values) (float64, error) {
	text := cmp.Or(query.Get("strength"), "1")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("strength is %q: want a value from 0 to 1", text)
	}
	return v, nil
}

// plainName returns what an upload is called in messages, and in the name of its result: no path,
// no control characters, and of a length that file systems take.
func plainName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.TrimLeft(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || r == unicode.ReplacementChar || strings.ContainsRune(`:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name), "./")
	for len(name) > 200 {
		name = name[1:]
	}
	return cmp.Or(strings.ToValidUTF8(name, ""), "picture")
}

func (s *Server) deleteJob(w http.ResponseWriter, r *http.Request, j *job) {
	s.remove(j)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) getTile(w http.ResponseWriter, r *http.Request, j *job) {
	query := r.URL.Query()
	s.mu.Lock()
	from, colour := j.layers[layer(query.Get("layer"))], j.colour
	s.mu.Unlock()
	var at [3]int
	var bad error
	for i, name := range []string{"level", "x", "y"} {
		v, err := strconv.Atoi(query.Get(name))
		at[i], bad = v, cmp.Or(bad, err)
	}
	if from == nil || bad != nil {
		refuse(w, http.StatusNotFound, "there is no such tile")
		return
	}
	tile, err := from.tile(at[0], at[1], at[2])
	if err != nil {
		refuse(w, http.StatusNotFound, "there is no such tile")
		return
	}
	w.Header().Set("Content-Type", "image/png")
	imaging.EncodeFastPNG(w, tile, colour...)
}

func (s *Server) getResult(w http.ResponseWriter, r *http.Request, j *job) {
	strength, err := strengthOf(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.mu.Lock()
	ready, name, format := j.State == done, j.Result, j.settings.Format
	s.mu.Unlock()
	if !ready {
		refuse(w, http.StatusConflict, fmt.Sprintf("%s is not enlarged yet", j.Name))
		return
	}
	f, err := s.open(j, strength)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "image/"+strings.ToLower(string(format)))
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	http.ServeContent(w, r, "", time.Time{}, f)
}
