// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package dataset supplies training pictures: photographs, CIFAR-10, the pictures of a folder, or
// generated ones. All give batches of the same kind, so a training run changes its data by changing
// one word.
package dataset

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train"
)

// Source is an endless supply of square training pictures with random access. Picture i has the
// same pixels every time: they depend on the source's seed and on i alone. So a training run that
// is resumed sees the pictures that it would have seen without the interruption.
//
// A Source may also be a [Fingerprinter] and a [Skipper].
type Source interface {
	// Name is one line for people: "CIFAR-10, 50,000 training pictures".
	Name() string

	// Size is the height and width of every picture in pixels.
	Size() int

	// Picture fills dst, which must have Size*Size*3 elements, with picture i: rows of RGB in [-1,
	// 1]. It is safe for concurrent use.
	Picture(i uint64, dst []float32) error
}

// Options selects the pictures that Open opens. The zero value is the tutorial's: 32x32 pictures to
// train on.
type Options struct {
	// Size is the height and width of the pictures, 8 to 256 pixels; 0 means 32. CIFAR-10 has only
	// 32.
	Size int

	// Seed determines the order of the pictures, the places of crops, and what is generated.
	Seed uint64

	// HeldOut selects pictures that training does not see: CIFAR-10's test set, or another stream
	// of generated pictures. A folder has no second set, so it gives other crops of the same
	// pictures.
	HeldOut bool

	// Share, if not nil, is a source with the same spec and size, such as the training source when
	// the held-out source is opened. The two sources then share one cache of decoded pictures.
	// Other sources are ignored.
	Share Source

	// Exclude, if not "", is a folder whose pictures are not used, such as a folder for results
	// within the folder of pictures.
	Exclude string

	// Cache is the folder for downloads; "" means srdiff in the user's cache folder.
	Cache string

	// Progress, if not nil, is called a few times a second with the number of bytes downloaded so
	// far and their total.
	Progress func(done, total int64)
}

const (
	minSize     = 8
	defaultSize = 32
	maxSize     = 256
)

// Open opens the pictures that spec names:
//
//	cifar10         CIFAR-10, downloaded once into Options.Cache
//	cifar10:PATH    CIFAR-10 from the archive cifar-10-binary.tar.gz, or from the folder with its .bin files
//	images:DIR      random crops of the pictures in a folder and the folders below it
//	photos:DIR      crops of photographs at several sizes, the textured ones more often, mirrored and
//	                turned: what super-resolution is trained on best; all photographs stay in memory
//	generated       pictures that are drawn at random, for a first try without any download
//
// and what a program registered: NAME:PATH by Register, photos by RegisterPhotos. The error for any
// other spec lists these. If a download fails, the error says what to do. When ctx ends during a download, the data that
// has arrived is kept for the next call.
func Open(ctx context.Context, spec string, o Options) (Source, error) {
	if o.Size == 0 {
		o.Size = defaultSize
	}
	if o.Size < minSize || o.Size > maxSize {
		return nil, fmt.Errorf("picture size %d is out of range: use %d to %d", o.Size, minSize, maxSize)
	}
	name, path, hasPath := strings.Cut(spec, ":")
	for _, k := range kinds {
		if k.name == name && k.takesPath == hasPath && (path != "" || !hasPath) {
			return k.open(ctx, path, o)
		}
	}
	return nil, fmt.Errorf("unknown data %q: use %s", spec, Specs())
}

func cacheFolder(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep downloads in: %w; name one", err)
	}
	return filepath.Join(dir, "srdiff"), nil
}

// Batch returns batch n of src, which is pictures n*size to n*size+size-1, as a float32 tensor
// [size, src.Size(), src.Size(), 3] with values in [-1, 1]. A value that is not finite is an error.
func Batch(src Source, size int, n int64) (*tensors.Tensor, error) {
	if size < 1 {
		return nil, fmt.Errorf("batch size %d: it must be at least 1", size)
	}
	if n < 0 || n > math.MaxInt64/int64(size)-1 {
		return nil, fmt.Errorf("batch number %d is out of range", n)
	}
	side := src.Size()
	batch := tensors.FromShape(shapes.Make(dtypes.Float32, size, side, side, 3))
	var failed error
	err := tensors.MutableFlatData(batch, func(flat []float32) {
		each := side * side * 3
		for k := range size {
			i := uint64(n)*uint64(size) + uint64(k)
			if failed = src.Picture(i, flat[k*each:(k+1)*each]); failed != nil {
				failed = fmt.Errorf("picture %d of %s: %w", i, src.Name(), failed)
				return
			}
			for _, v := range flat[k*each : (k+1)*each] {
				if v-v != 0 { // NaN or infinite: it would ruin the network in one step
					failed = fmt.Errorf("picture %d of %s: a value is %g, want -1 to 1", i, src.Name(), v)
					return
				}
			}
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	return batch, nil
}

// Batches returns the batches start, start+1, ... of src without end, each as the one input of a
// train.Batch; see [Batch] for its shape. One batch is prepared in the background while the one
// before it is in use. Each call of Iter begins at start again. The first error is yielded and ends
// the iteration.
func Batches(src Source, size int, start int64) train.Dataset {
	return &batches{src: src, size: size, start: start}
}

type batches struct {
	src   Source
	size  int
	start int64
}

func (b *batches) Name() string { return b.src.Name() }

// Iter implements train.Dataset. It reads ahead by itself because dataset.Buffer of GoMLX v0.28.8
// has a data race: it stops its source while the source may still prepare a batch.
func (b *batches) Iter() iter.Seq2[train.Batch, error] {
	type result struct {
		batch train.Batch
		err   error
	}
	return func(yield func(train.Batch, error) bool) {
		ready := make(chan result)
		stop := make(chan struct{})
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for n := b.start; ; n++ {
				input, err := Batch(b.src, b.size, n)
				r := result{err: err}
				if err == nil {
					r.batch.Inputs = []*tensors.Tensor{input}
				}
				select {
				case ready <- r:
				case <-stop:
					return
				}
				if err != nil {
					return
				}
			}
		}()
		// No goroutine outlives the loop, since the source may be closed or replaced right after
		// it.
		defer func() {
			close(stop)
			<-stopped
		}()
		for {
			r := <-ready
			if !yield(r.batch, r.err) || r.err != nil {
				return
			}
		}
	}
}

// A stream is a sequence of random numbers. Each purpose has its own stream, so that held-out data,
// the places of crops and the order of pictures are independent of training and of each other.
type stream uint64

const (
	orderStream stream = iota + 1 // the order of the pictures
	cropStream                    // the places of crops
	sceneStream                   // the content of a generated scene
	tileStream                    // textures of generated scenes
	flipStream                    // which pictures are mirrored
	heldOut     stream = 1 << 8   // added for held-out pictures
)

// of returns the stream for these options.
func (s stream) of(o Options) stream {
	if o.HeldOut {
		return s | heldOut
	}
	return s
}

// rand returns the random numbers of item i of the stream under a seed.
func (s stream) rand(seed, i uint64) *rand.Rand {
	return rand.New(rand.NewPCG(mix(seed+mix(uint64(s))), mix(i)))
}

// mix spreads a number over 64 bits (the finaliser of SplitMix64, Steele et al. 2014), so that the
// generators of neighbouring seeds are independent.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// grouped writes n with commas between thousands.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
