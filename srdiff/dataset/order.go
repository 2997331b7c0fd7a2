// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import "sync"

// order gives n things a new random order in each epoch.
type order struct {
	n       int
	stream  stream
	seed    uint64
	lock    sync.Mutex
	epochs  [2]uint64 // of the permutations used last; a batch may extend over two epochs
	shuffle [2][]int
}

// at returns the number, from 0, of the thing at place i of the endless sequence of epochs.
func (o *order) at(i uint64) int {
	epoch, place := i/uint64(o.n), i%uint64(o.n)
	slot := epoch % 2
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.shuffle[slot] == nil || o.epochs[slot] != epoch {
		o.epochs[slot], o.shuffle[slot] = epoch, o.stream.rand(o.seed, epoch).Perm(o.n)
	}
	return o.shuffle[slot][place]
}
