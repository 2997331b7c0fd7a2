// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff/internal/download"
)

// entry is a file of a test archive.
type entry struct {
	name string
	data []byte
	kind byte // of tar, 0 for a file
}

// records returns n CIFAR-10 records. Record k of file f begins with red 10f+k, green 100 and blue
// 200.
func records(f, n int) []byte {
	var out []byte
	for k := range n {
		r := make([]byte, cifarRecord)
		r[0] = byte(k % cifarLabels)
		for i := range cifarPlane {
			r[1+i], r[1+cifarPlane+i], r[1+2*cifarPlane+i] = byte(10*f+k+i), 100, 200
		}
		out = append(out, r...)
	}
	return out
}

// cifarEntries returns the archive's files with n records each, in the order and the folder of the
// real one.
func cifarEntries(n int) []entry {
	entries := []entry{
		{name: "cifar-10-batches-bin/", kind: tar.TypeDir},
		{name: "cifar-10-batches-bin/readme.html", data: []byte("about")},
	}
	for f, name := range append(slices.Clone(cifarTraining), cifarTest...) {
		entries = append(entries, entry{name: "cifar-10-batches-bin/" + name, data: records(f, n)})
	}
	return entries
}

// archive packs the entries as the real archive is packed.
func archive(t testing.TB, entries []entry) []byte {
	t.Helper()
	return zipped(t, packed(t, entries), gzip.DefaultCompression)
}

func packed(t testing.TB, entries []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.data)), Typeflag: e.kind}
		if e.kind == 0 {
			header.Typeflag = tar.TypeReg
		}
		if e.kind == tar.TypeSymlink {
			header.Linkname = "/etc/passwd"
		}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// writeCIFAR writes an archive with n records a file and returns its path.
func writeCIFAR(t *testing.T, n int) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cifar.tar.gz")
	if err := os.WriteFile(name, archive(t, cifarEntries(n)), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCIFARPixels(t *testing.T) {
	src := open(t, "cifar10:"+writeCIFAR(t, 2), Options{})
	if want := "CIFAR-10, 10 training pictures"; src.Name() != want {
		t.Errorf("name %q, want %q", src.Name(), want)
	}
	seen := make(map[float32]bool)
	for i := range uint64(10) {
		p := picture(t, src, i)
		seen[p[0]] = true
		if p[1] != fromByte(100) || p[2] != fromByte(200) || p[3071] != fromByte(200) {
			t.Fatalf("picture %d: green %v and blue %v, want %v and %v", i, p[1], p[2], fromByte(100), fromByte(200))
		}
		// The next pixel of a row, and the first one of the next row, 1 and 32 brighter in red.
		if d1, d32 := (p[3]-p[0])*127.5, (p[96]-p[0])*127.5; abs(d1-1) > 1e-3 || abs(d32-32) > 1e-3 {
			t.Fatalf("picture %d: red grows by %v a pixel and %v a row, want 1 and 32", i, d1, d32)
		}
	}
	if len(seen) != 10 {
		t.Errorf("an epoch has %d different pictures, want 10", len(seen))
	}

	test := open(t, "cifar10:"+writeCIFAR(t, 2), Options{HeldOut: true})
	if want := "CIFAR-10, 2 test pictures"; test.Name() != want {
		t.Errorf("name %q, want %q", test.Name(), want)
	}
	if p := picture(t, test, 0); p[0] != fromByte(50) && p[0] != fromByte(51) {
		t.Errorf("held-out picture begins with %v: not from the test batch", p[0])
	}
}

func TestCIFARFolders(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "cifar-10-batches-bin")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	for f, name := range append(slices.Clone(cifarTraining), cifarTest...) {
		if err := os.WriteFile(filepath.Join(below, name), records(f, 3), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	packed := open(t, "cifar10:"+writeCIFAR(t, 3), Options{Seed: 4})
	for _, path := range []string{dir, below} {
		src := open(t, "cifar10:"+path, Options{Seed: 4})
		for i := range uint64(15) {
			if !slices.Equal(picture(t, src, i), picture(t, packed, i)) {
				t.Fatalf("picture %d from the folder %s is not the one from the archive", i, path)
			}
		}
	}
	if err := os.Remove(filepath.Join(below, "data_batch_4.bin")); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), "cifar10:"+dir, Options{})
	if err == nil || !strings.Contains(err.Error(), "data_batch_4.bin missing") {
		t.Errorf("error %v, want one that names data_batch_4.bin", err)
	}
}

func TestCIFARDamage(t *testing.T) {
	good := cifarEntries(2)
	change := func(name string, data []byte) []entry {
		entries := slices.Clone(good)
		for i := range entries {
			if strings.HasSuffix(entries[i].name, name) {
				entries[i].data = data
			}
		}
		return entries
	}
	badLabel := records(1, 2)
	badLabel[cifarRecord] = 10
	cases := []struct {
		what string
		data []byte
		want string
	}{
		{"not gzip", []byte("<html>not found</html>"), "not a gzipped archive"},
		{"empty", nil, "not a gzipped archive"},
		{"no tar", zipped(t, bytes.Repeat([]byte("x"), 2000), gzip.DefaultCompression), "damaged or cut short"},
		{"cut short", archive(t, good)[:500], "damaged or cut short"},
		{"checksum cut off", archive(t, good)[:len(archive(t, good))-6], "damaged or cut short"},
		{"half a record", archive(t, change("data_batch_2.bin", records(1, 2)[:5000])), "data_batch_2.bin: the file is not"},
		{"no record", archive(t, change("data_batch_2.bin", nil)), "data_batch_2.bin: the file is not"},
		{"too many records", archive(t, change("data_batch_2.bin", make([]byte, (cifarMost+1)*cifarRecord))),
			"data_batch_2.bin: the file is not"},
		{"label", archive(t, change("data_batch_2.bin", badLabel)), "record 1 has label 10, want 0 to 9"},
		{"missing", archive(t, good[:4]), "data_batch_3.bin, data_batch_4.bin, data_batch_5.bin missing"},
		{"twice", archive(t, append(slices.Clone(good), good[3])), "twice"},
		{"a link instead", archive(t, append(slices.Clone(good[:6]),
			entry{name: "cifar-10-batches-bin/data_batch_5.bin", kind: tar.TypeSymlink})), "data_batch_5.bin missing"},
		{"dots", archive(t, append(slices.Clone(good[:6]),
			entry{name: "../data_batch_5.bin", data: records(4, 2)})), "data_batch_5.bin missing"},
	}
	for _, c := range cases {
		name := filepath.Join(t.TempDir(), "cifar.tar.gz")
		if err := os.WriteFile(name, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(context.Background(), "cifar10:"+name, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one with %q and the file's name", c.what, err, c.want)
		}
	}
}

// FuzzCIFAR reads the data both as an archive and as what is in one, past gzip's checksum.
func FuzzCIFAR(f *testing.F) {
	f.Add(archive(f, cifarEntries(1)))
	f.Add(archive(f, cifarEntries(1))[:500])
	f.Add(packed(f, cifarEntries(1)))
	f.Add(packed(f, []entry{{name: "test_batch.bin", data: records(0, 2)}}))
	f.Add(packed(f, []entry{{name: "test_batch.bin", data: []byte{10}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, archive := range [][]byte{data, zipped(t, data, gzip.NoCompression)} {
			files, err := readCIFARArchive(bytes.NewReader(archive), cifarTest)
			if err != nil {
				continue
			}
			got := files[cifarTest[0]]
			if len(files) != 1 || len(got) == 0 || len(got)%cifarRecord != 0 {
				t.Fatalf("%d files and %d bytes were accepted", len(files), len(got))
			}
			for i := 0; i < len(got); i += cifarRecord {
				if got[i] >= cifarLabels {
					t.Fatalf("label %d was accepted", got[i])
				}
			}
		}
	})
}

func TestOpenDownloadsCIFAROnce(t *testing.T) {
	data := archive(t, cifarEntries(2))
	requests := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	before := cifarArchive
	t.Cleanup(func() { cifarArchive = before; server.Close() })
	sum := sha256.Sum256(data)
	defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
	http.DefaultTransport = server.Client().Transport
	cifarArchive = download.File{
		URL: server.URL + "/cifar.tar.gz", Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]),
	}
	cache := t.TempDir()
	for range 2 {
		src := open(t, "cifar10", Options{Cache: cache})
		if want := "CIFAR-10, 10 training pictures"; src.Name() != want {
			t.Errorf("name %q, want %q", src.Name(), want)
		}
	}
	if requests != 1 {
		t.Errorf("%d requests, want 1", requests)
	}

	server.Close() // and what if it cannot be reached?
	_, err := Open(context.Background(), "cifar10", Options{Cache: t.TempDir()})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "--data cifar10:PATH") ||
		!strings.Contains(err.Error(), "--data generated") {
		t.Errorf("error %v, want one line that says what to do", err)
	}
}
