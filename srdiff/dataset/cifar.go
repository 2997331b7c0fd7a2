// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/srdiff/srlab/srdiff/internal/download"
	"github.com/srdiff/srlab/srdiff/lock"
)

const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarRecord = 1 + 3*cifarPlane // a label, then the red, the green and the blue plane
	cifarMost   = 10_000           // records in a file
	cifarLabels = 10

	// cifarUnpacked bounds the bytes that are unpacked from an archive; the real one has 184 MB.
	cifarUnpacked = 512 << 20
)

var (
	cifarTraining = []string{
		"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
	}
	cifarTest = []string{"test_batch.bin"}
)

// cifarArchive is CIFAR-10 in its binary version, as its authors publish it.
var cifarArchive = download.File{
	URL:    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
	Size:   170_052_171,
	SHA256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
}

// cifar holds the 32x32 pictures of CIFAR-10 (Krizhevsky 2009) in memory, 3 KB each.
type cifar struct {
	name    string
	records [][]byte // each of cifarRecord bytes
	order   order

	fingerprint func() string
}

// downloadCIFAR opens CIFAR-10 from the folder cache, and downloads it first if it is not there.
func downloadCIFAR(ctx context.Context, cache string, o Options) (Source, error) {
	if err := cifarSize(o); err != nil {
		return nil, err // before 170 MB are downloaded
	}
	archive := cifarArchive
	archive.Path = filepath.Join(cache, path.Base(archive.URL))
	archive.Progress = o.Progress
	err := archive.Fetch(ctx)
	if errors.As(err, new(*lock.HeldError)) {
		return nil, fmt.Errorf("CIFAR-10: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("CIFAR-10 could not be downloaded: %w; fetch %s by hand and use --data cifar10:PATH, "+
			"or use --data generated", err, archive.URL)
	}
	return openCIFAR(archive.Path, o)
}

// openCIFAR reads CIFAR-10 from an archive or a folder.
func openCIFAR(name string, o Options) (Source, error) {
	if err := cifarSize(o); err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("CIFAR-10: %w; it must be cifar-10-binary.tar.gz or the folder with its .bin files", err)
	}
	wanted, kind := cifarTraining, "training"
	if o.HeldOut {
		wanted, kind = cifarTest, "test"
	}
	var files map[string][]byte
	if info.IsDir() {
		files, err = readCIFARFolder(name, wanted)
	} else {
		files, err = readCIFARFile(name, wanted)
	}
	if err != nil {
		return nil, fmt.Errorf("CIFAR-10 in %s: %w", name, err)
	}
	c := &cifar{}
	for _, file := range wanted {
		for data := files[file]; len(data) > 0; data = data[cifarRecord:] {
			c.records = append(c.records, data[:cifarRecord:cifarRecord])
		}
	}
	c.name = fmt.Sprintf("CIFAR-10, %s %s pictures", grouped(len(c.records)), kind)
	c.order = order{n: len(c.records), stream: orderStream.of(o), seed: o.Seed}
	c.fingerprint = sync.OnceValue(c.hash)
	return c, nil
}

func cifarSize(o Options) error {
	if o.Size != cifarSide {
		return fmt.Errorf("CIFAR-10 has only %dx%d pictures, not %dx%d: use images:DIR or generated for other sizes",
			cifarSide, cifarSide, o.Size, o.Size)
	}
	return nil
}

func (c *cifar) Name() string { return c.name }
func (c *cifar) Size() int    { return cifarSide }

// Fingerprint implements Fingerprinter.
func (c *cifar) Fingerprint() string { return c.fingerprint() }

func (c *cifar) hash() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "cifar10 %d\n", len(c.records))
	for _, record := range c.records {
		hash.Write(record)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}

// Picture implements Source: every picture once an epoch.
func (c *cifar) Picture(i uint64, dst []float32) error {
	if err := checkLength(dst, cifarSide); err != nil {
		return err
	}
	planes := c.records[c.order.at(i)][1:]
	for k := range cifarPlane {
		dst[3*k] = fromByte(planes[k])
		dst[3*k+1] = fromByte(planes[cifarPlane+k])
		dst[3*k+2] = fromByte(planes[2*cifarPlane+k])
	}
	return nil
}

// readCIFARFolder reads the wanted files from dir or from the subfolder that the archive unpacks
// to.
func readCIFARFolder(dir string, wanted []string) (map[string][]byte, error) {
	if below := filepath.Join(dir, "cifar-10-batches-bin"); isFolder(below) {
		dir = below
	}
	files := make(map[string][]byte)
	for _, name := range wanted {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // complete reports it
		}
		if err != nil {
			return nil, err
		}
		files[name], err = readRecords(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return files, complete(files, wanted)
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func readCIFARFile(name string, wanted []string) (map[string][]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readCIFARArchive(f, wanted)
}

// readCIFARArchive reads the wanted files from a gzipped tar archive, whatever their folder in it.
// It skips everything else: other files, links, and names with "..".
func readCIFARArchive(r io.Reader, wanted []string) (map[string][]byte, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("not a gzipped archive: %w", err)
	}
	limited := &io.LimitedReader{R: unzipped, N: cifarUnpacked}
	archive := tar.NewReader(limited)
	files := make(map[string][]byte)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("damaged or cut short: %w", err)
		}
		name := path.Base(header.Name)
		if header.Typeflag != tar.TypeReg || !slices.Contains(wanted, name) || strings.Contains(header.Name, "..") {
			continue
		}
		if _, twice := files[name]; twice {
			return nil, fmt.Errorf("%s is in the archive twice", name)
		}
		if files[name], err = readRecords(archive); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	// The archive's checksum is at its end.
	if _, err := io.Copy(io.Discard, limited); err != nil {
		return nil, fmt.Errorf("damaged or cut short: %w", err)
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("the archive unpacks to more than %d MB", cifarUnpacked>>20)
	}
	return files, complete(files, wanted)
}

// complete returns an error that names the wanted files that are missing.
func complete(files map[string][]byte, wanted []string) error {
	var missing []string
	for _, name := range wanted {
		if files[name] == nil {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return fmt.Errorf("%s missing: is this the binary version, cifar-10-binary.tar.gz?", strings.Join(missing, ", "))
	}
	return nil
}

// readRecords reads one of CIFAR-10's binary files to its end and checks it.
func readRecords(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, cifarMost*cifarRecord+1))
	if err != nil {
		return nil, fmt.Errorf("damaged or cut short: %w", err)
	}
	if len(data) == 0 || len(data)%cifarRecord != 0 || len(data) > cifarMost*cifarRecord {
		return nil, fmt.Errorf("the file is not 1 to %s records of %d bytes", grouped(cifarMost), cifarRecord)
	}
	for i := 0; i < len(data); i += cifarRecord {
		if label := data[i]; label >= cifarLabels {
			return nil, fmt.Errorf("record %d has label %d, want 0 to %d: these are not CIFAR-10's pictures",
				i/cifarRecord, label, cifarLabels-1)
		}
	}
	return data, nil
}
