// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/notebooks/models"
	"github.com/srdiff/srlab/srdiff"
)

// modelSource is where a model comes from: a file, or this program.
type modelSource struct {
	path     string       // of the file
	embedded models.Model // where there is no path
	clean    float64      // share of the model cleanModel in the weights: see denoised
}

// The models for damaged and for clean pictures. The first was trained from the second.
const photoModel, cleanModel = "photo", "clean"

// denoised returns the source between the two models, which removes a share of the noise and of JPEG's
// artefacts, from 0 to 1: their weights are mixed (deep network interpolation, Wang et al. 2019).
func (s modelSource) denoised(share float64) (modelSource, error) {
	if s.path != "" || s.embedded.Name != photoModel {
		return s, fmt.Errorf("--denoise goes with the model %s, and the model is %s: omit one of the two", photoModel, s)
	}
	s.clean = 1 - share
	return s, nil
}

// findModel returns the model of a name for enlarging so many times, or the model in a file.
func findModel(nameOrPath string, times float64) (modelSource, error) {
	if nameOrPath == "" || slices.Contains(models.Names(), nameOrPath) {
		m, err := models.Find(nameOrPath, times)
		return modelSource{embedded: m}, err
	}
	_, err := os.Stat(nameOrPath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return modelSource{}, fmt.Errorf("model %s: no such file; the models in srdiff are %s", nameOrPath, strings.Join(models.Names(), ", "))
	case err != nil:
		return modelSource{}, fmt.Errorf("model %s: %w", nameOrPath, reason(err))
	}
	return modelSource{path: nameOrPath}, nil
}

// String returns the name or the path of the model.
func (s modelSource) String() string {
	if s.path == "" {
		return s.embedded.Name
	}
	return s.path
}

// info returns the model's file, or nil for a model in this program.
func (s modelSource) info() (fs.FileInfo, error) {
	if s.path == "" {
		return nil, nil
	}
	return os.Stat(s.path)
}

func (s modelSource) config() (srdiff.Config, error) {
	if s.path == "" {
		return srdiff.ParseConfig(s.embedded.Bytes())
	}
	return srdiff.ReadConfig(s.path)
}

// load reads the model and the SHA-256 of its file.
func (s modelSource) load(backend compute.Backend) (*srdiff.Model, string, error) {
	if s.path == "" {
		data := s.embedded.Bytes()
		m, err := srdiff.Parse(backend, data)
		hash := fmt.Sprintf("%x", sha256.Sum256(data))
		if err != nil || s.clean == 0 {
			return m, hash, err
		}
		return s.mix(backend, m, hash)
	}
	before, _ := hashOf(s.path) // Load reports the error.
	m, err := srdiff.Load(backend, s.path)
	if err != nil {
		return nil, "", err
	}
	hash, err := hashOf(s.path)
	if err == nil && hash != before {
		err = fmt.Errorf("%s was replaced while it was read: try again", s.path)
	}
	return m, hash, err
}

// mix mixes a model with the clean one. The hash of the result depends on both and on the share.
func (s modelSource) mix(backend compute.Backend, m *srdiff.Model, hash string) (*srdiff.Model, string, error) {
	found, err := models.Find(cleanModel, float64(s.embedded.Factor))
	if err != nil {
		return nil, "", err
	}
	clean, err := srdiff.Parse(backend, found.Bytes())
	if err != nil {
		return nil, "", err
	}
	defer clean.Close()
	if err := m.Mix(clean, s.clean); err != nil {
		return nil, "", err
	}
	return m, fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %x %g", hash, sha256.Sum256(found.Bytes()), s.clean))), nil
}

func modelsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "models",
		Short: "List the models in this program, what they are for, and their figures",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for i, m := range models.All {
				name := m.Name
				if i == 0 {
					name += " (default)"
				}
				err := printLine(cmd.OutOrStdout(), "%-16s x%d, %s; for %s; %s", name, m.Factor, formatBytes(uint64(len(m.Bytes()))), m.For, m.Figures)
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}
