// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// keeper calls keepFile as Keep does, and counts how often the value is made.
type keeper struct {
	t    *testing.T
	made int
}

func newKeeper(t *testing.T) *keeper {
	t.Setenv("SRDIFF_KEPT", filepath.Join(t.TempDir(), "kept"))
	return &keeper{t: t}
}

func keepNumbers(k *keeper, name string, inputs any) ([]float64, string) {
	k.t.Helper()
	v, line, err := keepGob(name, inputs, func() ([]float64, error) {
		k.made++
		return []float64{float64(k.made), math.Inf(1)}, nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return v, line
}

// keptNumbers is the entry that keepNumbers writes.
func keptNumbers(name string, inputs any) (entry, error) {
	return newEntry(name, inputs, "gob of "+layout(reflect.TypeFor[[]float64]()))
}

type settings struct {
	Name string
	Rate float64
}

func TestKeep(t *testing.T) {
	k := newKeeper(t)
	for _, test := range []struct {
		name   string
		inputs any
		want   float64
		line   string
	}{
		{"a", settings{"x", 1}, 1, "a: made in "},
		{"a", settings{"x", 1}, 1, "a: kept from before"},
		{"a", settings{"x", 2}, 2, "a: made in "},
		{"b", settings{"x", 1}, 3, "b: made in "},
		{"a", settings{"x", 1}, 1, "a: kept from before"},
		{"a", map[string]any{"m": 1, "k": []int{1}}, 4, "a: made in "},
		{"a", map[string]any{"k": []int{1}, "m": 1}, 4, "a: kept from before"},
		{"a", nil, 5, "a: made in "},
		{"a", nil, 5, "a: kept from before"},
	} {
		v, line := keepNumbers(k, test.name, test.inputs)
		if len(v) != 2 || v[0] != test.want || !math.IsInf(v[1], 1) {
			t.Errorf("%q with %v is %v, want number %v", test.name, test.inputs, v, test.want)
		}
		if !strings.HasPrefix(line, test.line) {
			t.Errorf("printed %q, want %q", line, test.line)
		}
	}

	if line, err := forget([]string{"b", "never kept"}); err != nil || line != "1 forgotten" {
		t.Errorf("%q, %v", line, err)
	}
	if v, _ := keepNumbers(k, "a", nil); v[0] != 5 {
		t.Error("forgetting another name forgets this one")
	}
	if v, _ := keepNumbers(k, "b", settings{"x", 1}); v[0] != 6 {
		t.Error("a forgotten name is kept")
	}
	if line, err := forget(nil); err != nil || line != "5 forgotten" {
		t.Errorf("%q, %v", line, err)
	}
	if entries, err := os.ReadDir(keptFolder()); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v are left", entries, err)
	}
	if v, _ := keepNumbers(k, "a", nil); v[0] != 7 {
		t.Error("a forgotten name is kept")
	}
}

func TestKeepTypes(t *testing.T) {
	t.Setenv("SRDIFF_KEPT", t.TempDir())
	pictures := []imaging.Picture{imaging.New(3, 2), imaging.New(1, 1)}
	pictures[0].Pix[5] = -0.25
	for range 2 {
		got := Keep("v", 1, func() ([]imaging.Picture, error) { return pictures, nil })
		if !reflect.DeepEqual(got, pictures) {
			t.Errorf("pictures %v, want %v", got, pictures)
		}
		if got := Keep("v", 1, func() (map[string]settings, error) {
			return map[string]settings{"k": {"n", 0.1}}, nil
		}); got["k"] != (settings{"n", 0.1}) {
			t.Errorf("map %v", got)
		}
		if got := Keep("v", 1, func() (*settings, error) { return &settings{"p", 3}, nil }); *got != (settings{"p", 3}) {
			t.Errorf("pointer %v", got)
		}
		tensor := KeepFile("v", 1, func() (*tensors.Tensor, error) {
			return tensors.FromValue([][]float32{{1, 2}, {3, 4}}), nil
		}, (*tensors.Tensor).Save, tensors.Load)
		if got := tensor.Value(); !reflect.DeepEqual(got, [][]float32{{1, 2}, {3, 4}}) {
			t.Errorf("tensor %v", got)
		}
	}
}

func TestKeepDamaged(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(data []byte) []byte
		file   string
	}{
		{"one bit", func(data []byte) []byte { data[len(data)-3] ^= 4; return data }, ""},
		{"cut short", func(data []byte) []byte { return data[:len(data)/2] }, ""},
		{"empty", func([]byte) []byte { return nil }, ""},
		{"manifest cut short", func(data []byte) []byte { return data[:len(data)/2] }, manifestSuffix},
		{"manifest empty", func([]byte) []byte { return nil }, manifestSuffix},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := newKeeper(t)
			keepNumbers(k, "a", 1)
			entry, err := keptNumbers("a", 1)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(entry.path + test.file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(entry.path+test.file, test.damage(data), 0o644); err != nil {
				t.Fatal(err)
			}
			v, line := keepNumbers(k, "a", 1)
			if v[0] != 2 || !strings.HasPrefix(line, "a: what was kept is damaged (") || strings.Contains(line, "\n") {
				t.Errorf("%v, %q", v, line)
			}
			if v, line := keepNumbers(k, "a", 1); v[0] != 2 || !strings.HasPrefix(line, "a: kept from before") {
				t.Errorf("afterwards %v, %q", v, line)
			}
		})
	}
	t.Run("what load refuses", func(t *testing.T) {
		newKeeper(t)
		made := 0
		for want := 1; want <= 2; want++ {
			_, line, err := keepFile("a", 1, "int", func() (int, error) { made++; return made, nil }, gobSave[int],
				func(string) (int, error) { return 0, errors.New("another version") })
			if err != nil || made != want || want == 2 && !strings.Contains(line, "(another version); made again") {
				t.Errorf("%q, %v, made %d times", line, err, made)
			}
		}
	})
	t.Run("file gone", func(t *testing.T) {
		k := newKeeper(t)
		keepNumbers(k, "a", 1)
		entry, _ := keptNumbers("a", 1)
		if err := os.Remove(entry.path); err != nil {
			t.Fatal(err)
		}
		if v, _ := keepNumbers(k, "a", 1); v[0] != 2 {
			t.Errorf("%v", v)
		}
	})
}

func TestKeepErrors(t *testing.T) {
	newKeeper(t)
	number := func() (int, error) { return 1, nil }
	for _, test := range []struct {
		name   string
		inputs any
		make   func() (int, error)
		want   string
	}{
		{"../a", 1, number, `keeping "../a": want a name of letters`},
		{"", 1, number, "want a name"},
		{".hidden", 1, number, "want a name"},
		{"a/b", 1, number, "want a name"},
		{"a", func() {}, number, `keeping "a": its inputs have no JSON form`},
		{"a", math.NaN(), number, "have no JSON form"},
		{"a", 1, func() (int, error) { return 0, errors.New("no data") }, "no data"},
	} {
		_, _, err := keepGob(test.name, test.inputs, test.make)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := forget([]string{".."}); err == nil {
		t.Error("forgets a folder that is none of its own")
	}

	// If saving fails, no file is left, and the value is returned.
	half := func(_ int, path string) error {
		if err := os.WriteFile(path, []byte("half"), 0o644); err != nil {
			return err
		}
		return errors.New("disk full")
	}
	for range 2 {
		v, line, err := keepFile("h", 1, "int", number, half, gobLoad[int])
		if v != 1 || err != nil || !strings.Contains(line, "h: made in 0s, but it cannot be kept: disk full") {
			t.Errorf("%v, %q, %v", v, line, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(keptFolder(), "h")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", left, err)
	}
	if f, line, err := keepGob("f", 1, func() (func(), error) { return func() {}, nil }); f == nil || err != nil || !strings.Contains(line, "cannot be kept: gob") {
		t.Errorf("a function: %q, %v", line, err)
	}
}

func TestKeepFolder(t *testing.T) {
	newKeeper(t)
	dir, line, err := keepFolder("run", settings{"x", 1})
	if err != nil || line != "run: a new folder" {
		t.Fatal(line, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Fatalf("%v, %v", entries, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "weights"), []byte("w"), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, line, err := keepFolder("run", settings{"x", 1}); again != dir || err != nil ||
		!strings.HasPrefix(line, "run: the folder from before") {
		t.Errorf("%q instead of %q, %q, %v", again, dir, line, err)
	}
	if other, _, err := keepFolder("run", settings{"x", 2}); other == dir || err != nil {
		t.Errorf("%q, %v", other, err)
	}
	if data, err := os.ReadFile(dir + manifestSuffix); err != nil || !strings.Contains(string(data), `"Rate": 1`) {
		t.Errorf("the note is %s, %v", data, err)
	}
	if line, err := forget([]string{"run"}); err != nil || line != "2 forgotten" {
		t.Errorf("%q, %v", line, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}
