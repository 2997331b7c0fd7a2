// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/checkpoint"
)

// FuzzMetadata reads what a model file says about itself: what is accepted is a configuration that can be used, and says the same
// when it is written again.
func FuzzMetadata(f *testing.F) {
	for _, c := range []Config{{}, {Network: NetworkSmall, Kind: KindCosine, Prediction: PredictsV, Distilled: 4}} {
		text, err := json.Marshal(metadata{architecture(c.WithDefaults()), 7, c.WithDefaults(), "v1.2.3"})
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
		again, err := json.Marshal(metadata{architecture(c), about.Step, c, about.Version})
		if err != nil {
			t.Fatal(err)
		}
		second, err := readMetadata(checkpoint.File{Metadata: map[string]string{metadataKey: string(again)}})
		if err != nil || second.Config.WithDefaults() != c || second.Step != about.Step {
			t.Errorf("%s became %s: %v", text, again, err)
		}
	})
}

// FuzzMetrics resumes beside any metrics file: what stays are whole lines of the steps up to that one.
func FuzzMetrics(f *testing.F) {
	f.Add([]byte("{\"step\":1,\"loss\":1}\n{\"step\":2,\"loss\":1}\n{\"step\":3,\"lo"), 1)
	f.Add([]byte("{\"step\":1,\"loss\":1}"), 1) // cut short by one byte, and whole all the same
	f.Add([]byte("\n\n[]\nnull\n{\"step\":1e99}\n"), 3)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		path := filepath.Join(dir, MetricsFile)
		kept := cutBack(t, path, data, step, Progress{Step: 5, Loss: 1})
		lines := bytes.SplitAfter(kept, []byte("\n"))
		for _, line := range lines[:len(lines)-2] {
			var p Progress
			if err := json.Unmarshal(line, &p); err != nil || p.Step > step {
				t.Errorf("%q was kept at step %d", line, step)
			}
		}
		var p Progress
		if err := json.Unmarshal(lines[len(lines)-2], &p); err != nil || p.Step != 5 {
			t.Errorf("the new line is %q", lines[len(lines)-2])
		}
	})
}
