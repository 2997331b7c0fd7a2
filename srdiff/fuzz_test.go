// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/networks"
)

// FuzzMetadata reads what a model file says about itself: what is accepted is a configuration that
// can be used, and says the same when it is written again.
func FuzzMetadata(f *testing.F) {
	for _, c := range []Config{{}, {Network: networks.Config{Name: networks.Small}, Diffusion: diffusion.Config{Schedule: diffusion.Cosine, Prediction: diffusion.PredictV, Distilled: 4}}} {
		text, err := json.Marshal(metadata{fileFormat, c.WithDefaults(), 7, "v1.2.3"})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`{"architecture":"tutorial-unet","step":-1}`)
	f.Add(`{"config":{"base_channels":1e9,"timesteps":1e9,"image_size":-3,"beta_start":1e-400}}`)
	f.Fuzz(func(t *testing.T, text string) {
		about, err := readMetadata(checkpoint.File{Metadata: map[string]string{metadataKey: text}})
		if err == nil {
			err = about.Config.Validate()
		}
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		c := about.Config.WithDefaults()
		again, err := json.Marshal(metadata{fileFormat, c, about.Step, about.Version})
		if err != nil {
			t.Fatal(err)
		}
		second, err := readMetadata(checkpoint.File{Metadata: map[string]string{metadataKey: string(again)}})
		if err != nil || second.Config.WithDefaults() != c || second.Step != about.Step {
			t.Errorf("%s became %s: %v", text, again, err)
		}
	})
}
