// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"

	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// provenance describes how a picture or a measurement was made. Pictures carry it as JSON in a PNG
// text chunk with the keyword provenanceKey.
type provenance struct {
	Model   string            `json:"model,omitempty"`  // SHA-256 of the model's file
	Models  []string          `json:"models,omitempty"` // of several, in the sheet's order
	Run     string            `json:"run,omitempty"`    // folder of the training run, instead of a model
	Step    int               `json:"step,omitempty"`   // of training
	Input   string            `json:"input,omitempty"`  // SHA-256 of the enlarged picture's file
	Seed    int64             `json:"seed"`
	Options map[string]string `json:"options,omitempty"` // sampling flags: see optionsOf
	Size    targetSize        `json:"size,omitzero"`     // of the result, if not by the model's factor
	Strip   bool              `json:"strip,omitempty"`   // the input's metadata was omitted
	Quality int               `json:"quality,omitempty"` // of a JPEG or WebP
	Engine  string            `json:"engine"`
	Version string            `json:"version"` // of srdiff
	Go      string            `json:"go"`
}

const provenanceKey = "srdiff"

// withVersions adds the versions of srdiff and Go.
func (r provenance) withVersions() provenance {
	r.Version, r.Go = srdiff.Version(), runtime.Version()
	return r
}

// chunk returns the provenance as a PNG chunk.
func (r provenance) chunk() imaging.Chunk {
	text, err := json.Marshal(r.withVersions())
	if err != nil {
		panic(err) // strings and numbers can always be encoded
	}
	return imaging.TextChunk(provenanceKey, string(text))
}

// readProvenance reads the provenance of a picture.
func readProvenance(path string) (provenance, error) {
	var r provenance
	text, err := imaging.Text(path, provenanceKey)
	if err != nil {
		return r, err
	}
	if text == "" || json.Unmarshal([]byte(text), &r) != nil || r.Model == "" {
		return r, fmt.Errorf("%s has no record of how it was made: want a result of srdiff upscale", path)
	}
	return r, nil
}

// matchesFile reports whether a file is complete and has the same model, input, seed and options.
// The engine and the version may differ, so that a folder can be continued on another machine.
func (r provenance) matchesFile(path string) bool {
	old, err := readProvenance(path)
	return err == nil && r.Model == old.Model && r.Input == old.Input && r.Seed == old.Seed && r.Size == old.Size && r.Strip == old.Strip && r.Quality == old.Quality && maps.Equal(r.Options, old.Options) &&
		imaging.Complete(path) == nil
}

// isMadeBySrdiff reports whether srdiff made a file, which then carries its provenance, or
// whether the file is truncated before its first pixel.
func isMadeBySrdiff(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	const signature = "\x89PNG\r\n\x1a\n"
	const first = 8 + 12 + 13 // where the chunk after the header begins
	begin := "iTXt" + provenanceKey + "\x00"
	head := make([]byte, first+4+len(begin))
	n, err := io.ReadFull(f, head)
	switch head := string(head[:n]); {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return strings.HasPrefix(head, signature[:min(n, len(signature))])
	case err != nil:
		return false
	case strings.HasSuffix(head, begin):
		return true
	}
	var r provenance
	text, err := imaging.Text(path, provenanceKey) // of an older srdiff, or no PNG
	return err == nil && text != "" && json.Unmarshal([]byte(text), &r) == nil && r.Engine != ""
}

// optionsOf returns the flags of samplingFlags that were given and change what a model of this
// configuration does.
func optionsOf(flags *pflag.FlagSet, c srdiff.Config) map[string]string {
	options := map[string]string{}
	var o srdiff.SampleOptions
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	samplingFlags(set, &o)
	flags.Visit(func(f *pflag.Flag) {
		before := o.WithDefaults(c)
		if set.Set(f.Name, f.Value.String()) == nil && !reflect.DeepEqual(o.WithDefaults(c), before) {
			options[f.Name] = f.Value.String()
		}
	})
	return options
}

// sampleOptions returns the sampling options of the provenance in path. A given flag with another
// value is an error.
func (r provenance) sampleOptions(path string, flags *pflag.FlagSet, c srdiff.Config) (srdiff.SampleOptions, error) {
	var o srdiff.SampleOptions
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	samplingFlags(set, &o)
	seedFlag(set, &o.Seed)
	o.Seed = r.Seed
	for name, text := range r.Options {
		if err := set.Set(name, text); err != nil {
			return o, fmt.Errorf("%s was made with the option %q %q, which this srdiff does not know", path, name, text)
		}
	}
	var contradiction error
	flags.Visit(func(f *pflag.Flag) {
		before := o
		if set.Set(f.Name, f.Value.String()) == nil && !reflect.DeepEqual(o.WithDefaults(c), before.WithDefaults(c)) {
			contradiction = fmt.Errorf("--%s %s is not what %s was made with: omit it, or omit --like",
				f.Name, f.Value, path)
		}
		o = before
	})
	return o, contradiction
}

// folderName returns the name of a run's folder without its path.
func folderName(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	return filepath.Base(path)
}

// hashOf returns the SHA-256 of a file, in hexadecimal.
func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}
