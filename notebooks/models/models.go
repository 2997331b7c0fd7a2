// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package models holds the models that are part of the srdiff command, as bytes in the program.
// README.md in this folder has their cards.
package models

import (
	"embed"
	"fmt"
	"strings"
)

// Model is a model in the program. Models of one name differ in their factor alone.
type Model struct {
	Name    string // what --model calls it
	Factor  int    // how many times larger its results are in each direction
	File    string // in this folder
	For     string // which pictures it is for
	Figures string // what was measured of it
}

// All lists the models. The first one is the default.
var All = []Model{
	{"photo", 4, "photo-x4.safetensors", "pictures as they are: JPEG, scans, noise, a little blur", "31.27 dB on Set5, and 28.69 after JPEG of quality 75; clean has 31.76 and 27.74, bicubic 28.43 and 27.48"},
	{"clean", 4, "predictor-x4.safetensors", "sharp pictures without compression", "31.76 dB on Set5, 28.27 on Set14, 27.35 on BSD100; bicubic has 28.43, 26.09, 25.96"},
	{"detail", 4, "refiner-x4.safetensors", "sharp pictures, with sampled detail, whose strength you choose", "31.06 dB on Set5 and a NIQE of 4.80, where clean has 6.57 and the originals 4.41"},
}

//go:embed *-x[2348].safetensors
var files embed.FS

// Bytes returns the model's file.
func (m Model) Bytes() []byte {
	data, err := files.ReadFile(m.File)
	if err != nil {
		panic(err) // the tests read every file of All
	}
	return data
}

// Find returns the model of a name for enlarging so many times: of several factors, the least that is
// enough, or else the greatest. The empty name is that of the default. An unknown name is an error.
func Find(name string, times float64) (Model, error) {
	if name == "" {
		name = All[0].Name
	}
	var best Model
	for _, m := range All {
		enough := float64(m.Factor) >= times
		switch {
		case m.Name != name:
		case best.Name == "",
			enough && (float64(best.Factor) < times || m.Factor < best.Factor),
			!enough && float64(best.Factor) < times && m.Factor > best.Factor:
			best = m
		}
	}
	if best.Name == "" {
		return best, fmt.Errorf("no model is called %q: want %s", name, strings.Join(Names(), ", "))
	}
	return best, nil
}

// Names returns the names of the models, each once, the default first.
func Names() (names []string) {
	known := map[string]bool{}
	for _, m := range All {
		if !known[m.Name] {
			names = append(names, m.Name)
		}
		known[m.Name] = true
	}
	return names
}
