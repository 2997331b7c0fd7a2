// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// kind is a kind of data that Open opens.
type kind struct {
	name, path string // path is what usage texts call it; "" for a kind without one
	takesPath  bool
	open       func(ctx context.Context, path string, o Options) (Source, error)
}

var kinds = []kind{
	{name: "cifar10", open: func(ctx context.Context, _ string, o Options) (Source, error) {
		cache, err := cacheFolder(o.Cache)
		if err != nil {
			return nil, err
		}
		return downloadCIFAR(ctx, cache, o)
	}},
	{name: "cifar10", path: "PATH", takesPath: true, open: func(_ context.Context, path string, o Options) (Source, error) {
		return openCIFAR(path, o)
	}},
	{name: "images", path: "DIR", takesPath: true, open: func(ctx context.Context, path string, o Options) (Source, error) {
		return openFolder(ctx, path, o, folderCache)
	}},
	{name: "photos", path: "DIR", takesPath: true, open: openPhotos},
	{name: "generated", open: func(_ context.Context, _ string, o Options) (Source, error) {
		return newGenerated(o), nil
	}},
}

// Register registers a kind of data under a name, for Open and the command's flag --data. Open calls
// open for the spec NAME:PATH. Register panics if the name is registered already, is empty or has a
// colon.
func Register(name string, open func(ctx context.Context, path string, o Options) (Source, error)) {
	known := slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name })
	if known || name == "" || strings.Contains(name, ":") {
		panic(fmt.Errorf("registering the data %q: want a name without a colon that is not known yet", name))
	}
	kinds = append(kinds, kind{name: name, path: "PATH", takesPath: true, open: open})
}

// Specs lists the specs that Open accepts, for usage texts: "cifar10, cifar10:PATH, images:DIR or generated".
func Specs() string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = k.name
		if k.takesPath {
			list[i] += ":" + k.path
		}
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}
