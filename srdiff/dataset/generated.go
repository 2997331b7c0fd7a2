// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"sync"
)

const (
	// Pictures come from this many scenes at a time, so that a batch is varied, ...
	sceneSlots = 64
	// ... and this many are cropped from each scene, since drawing one takes long.
	cropsPerScene = 8
)

// generatorVersion is part of the fingerprint. It is raised whenever the pictures of a seed change.
const generatorVersion = 1

// generated draws pictures at random. Photographs mostly show things that hide one another, so its
// scenes are "dead leaves" (Matheron 1968; Lee, Mumford and Huang 2001): shapes of all sizes
// dropped on top of each other; see scene.go. The arithmetic is plain Go and the result is rounded
// to 8 bits, so the pixels are the same on all machines of one architecture. Where the compiler
// fuses multiplications and additions, as on arm64, a few pixels may differ by one level.
type generated struct {
	options Options
	side    int // of a scene, in pixels
	tiles   []*tile
	slots   [sceneSlots]sceneSlot
}

// sceneSlot keeps the scene that serves one of the places of a batch.
type sceneSlot struct {
	sync.Mutex
	scene uint64
	rgb   []uint8 // [side, side, 3]; nil before the first use
}

func newGenerated(o Options) *generated {
	return &generated{
		options: o,
		side:    max(128, o.Size+o.Size/2),
		tiles:   newTiles(tileStream.of(o).rand(o.Seed, 0)),
	}
}

func (g *generated) Name() string {
	kind := "training"
	if g.options.HeldOut {
		kind = "held-out"
	}
	return fmt.Sprintf("generated %s pictures, %dx%d, seed %d", kind, g.options.Size, g.options.Size, g.options.Seed)
}

func (g *generated) Size() int { return g.options.Size }

// Fingerprint implements Fingerprinter.
func (g *generated) Fingerprint() string {
	o := g.options
	return fmt.Sprintf("generated %d size %d seed %d held-out %t", generatorVersion, o.Size, o.Seed, o.HeldOut)
}

// Picture implements Source: one crop of one scene.
func (g *generated) Picture(i uint64, dst []float32) error {
	size, seed := g.options.Size, g.options.Seed
	if err := checkLength(dst, size); err != nil {
		return err
	}
	scene, slot := turn(i, sceneSlots, cropsPerScene)
	rng := cropStream.of(g.options).rand(seed, i)
	x, y := rng.IntN(g.side-size+1), rng.IntN(g.side-size+1)

	s := &g.slots[slot]
	s.Lock()
	defer s.Unlock()
	if s.rgb == nil || s.scene != scene {
		s.scene, s.rgb = scene, drawScene(sceneStream.of(g.options).rand(seed, scene), g.side, g.tiles)
	}
	for row := range size {
		from := s.rgb[((y+row)*g.side+x)*3:][:size*3]
		to := dst[row*size*3:][:size*3]
		for k, v := range from {
			to[k] = fromByte(v)
		}
	}
	return nil
}

// turn distributes work that serves several pictures: picture i is a crop of item, which stays in
// slot until it has served that many crops. Pictures go round the slots, so that neighbours come
// from different items. The slots change items at different times, so that the work is spread
// evenly.
func turn(i uint64, slots, crops int) (item uint64, slot int) {
	round := i / uint64(slots)
	slot = int(i % uint64(slots))
	return (round+uint64(slot%crops))/uint64(crops)*uint64(slots) + uint64(slot), slot
}

// fromByte maps 0..255 to [-1, 1].
func fromByte(v uint8) float32 { return float32(v)/127.5 - 1 }

// checkLength returns an error unless dst holds exactly one picture.
func checkLength(dst []float32, size int) error {
	if len(dst) != size*size*3 {
		return fmt.Errorf("a %dx%d picture needs %d values, not %d", size, size, size*size*3, len(dst))
	}
	return nil
}
