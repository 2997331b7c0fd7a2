// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package photos embeds the course's photographs in a program, which can then train on them anywhere.
// A program that imports it knows the data "photos": see dataset.RegisterPhotos.
package photos

import (
	"embed"
	"io/fs"

	"github.com/srdiff/srlab/srdiff/dataset"
)

//go:embed train test
var files embed.FS

func init() { dataset.RegisterPhotos(folder("train"), folder("test")) }

func folder(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // The name is valid.
	}
	return sub
}
