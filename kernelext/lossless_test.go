// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff/imaging"
)

type (
	hidden   struct{ a int }
	half     struct{ A, b int }
	embedded struct {
		half
		C int
	}
	pointers struct{ P, Q *int }
	function struct{ F func() }
	channel  struct{ C chan int }
	lists    struct {
		S []int
		M map[string]int
	}
	node struct {
		Name string
		Next *node
	}
	nested  []nested
	carrier struct{ V any }
	lossy   struct{ A, b int } // Encodes A alone.
	panics  struct{ A int }
	exact   struct{ a, b int } // Encodes both of its fields.
)

func (l lossy) GobEncode() ([]byte, error)   { return []byte{byte(l.A)}, nil }
func (l *lossy) GobDecode(data []byte) error { l.A = int(data[0]); return nil }
func (panics) GobEncode() ([]byte, error)    { panic("no") }
func (*panics) GobDecode([]byte) error       { return nil }
func (e exact) MarshalBinary() ([]byte, error) {
	return []byte{byte(e.a), byte(e.b)}, nil
}
func (e *exact) UnmarshalBinary(data []byte) error {
	e.a, e.b = int(data[0]), int(data[1])
	return nil
}

// comesBack keeps a value and asks for it again. Either the second call gives the same value, or
// the first has reported that the value cannot be kept.
func comesBack[T any](t *testing.T, name string, value T, keeps bool) {
	t.Run(name, func(t *testing.T) {
		t.Setenv("SRDIFF_KEPT", t.TempDir())
		first, line, err := keepGob("v", 1, func() (T, error) { return value, nil })
		if err != nil {
			t.Fatal(err)
		}
		if keeps && checkEqual(reflect.ValueOf(&first).Elem(), reflect.ValueOf(&value).Elem()) != nil {
			t.Errorf("the first call gives %#v, want %#v", first, value)
		}
		if strings.Contains(line, "\n") || strings.Contains(line, ", but it cannot be kept: ") == keeps {
			t.Errorf("printed %q", line)
		}
		again, line, err := keepGob("v", 1, func() (T, error) {
			var other T
			return other, errors.New("made again")
		})
		if keeps {
			if err := checkEqual(reflect.ValueOf(&again).Elem(), reflect.ValueOf(&value).Elem()); err != nil || line != "v: kept from before" {
				t.Errorf("the second call gives %#v, want %#v: %v, %q", again, value, err, line)
			}
		} else if err == nil || err.Error() != "made again" {
			t.Errorf("the second call gives %v, %q, %v", again, line, err)
		}
	})
}

func TestKeepGivesTheSameValueOrNone(t *testing.T) {
	zero, one, nan := 0, 1, math.NaN()
	oddNaN := math.Float64frombits(math.Float64bits(nan) ^ 2)
	cycle := &node{Name: "a"}
	cycle.Next = &node{"b", cycle}
	self := nested{nil}
	self[0] = self
	shared := &node{Name: "s"}
	var ring any = map[string]any{}
	ring.(map[string]any)["self"] = ring
	paris := time.FixedZone("Paris", 3600)

	comesBack(t, "number", 3, true)
	comesBack(t, "NaN", nan, true)
	comesBack(t, "NaNs", []float64{nan, oddNaN, math.Inf(-1)}, true)
	comesBack(t, "NaN of 32 bits", []float32{float32(nan)}, true)
	comesBack(t, "NaN in a field", struct{ A complex128 }{complex(nan, 0)}, true)
	comesBack(t, "negative zero", math.Copysign(0, -1), true)
	comesBack(t, "negative zero in a field", struct{ A float64 }{math.Copysign(0, -1)}, false)
	comesBack(t, "NaN key", map[float64]int{nan: 1}, false)
	comesBack(t, "bytes that are not UTF-8", "a\xff\x00", true)
	comesBack(t, "pictures", []imaging.Picture{imaging.New(2, 3), imaging.New(1, 1)}, true)
	comesBack(t, "one picture twice", []image.Point{{1, 2}, {1, 2}}, true)

	comesBack(t, "unexported field", hidden{3}, false)
	comesBack(t, "one unexported field", half{3, 4}, false)
	comesBack(t, "one unexported field that is zero", half{3, 0}, true)
	comesBack(t, "unexported field in a list", []half{{3, 0}, {3, 4}}, false)
	comesBack(t, "unexported field in a map", map[string]*half{"a": {3, 4}}, false)
	comesBack(t, "unexported field in an array", [2]half{{3, 4}}, false)
	comesBack(t, "unexported embedded struct", embedded{half{1, 0}, 2}, false)
	comesBack(t, "function", func() {}, false)
	comesBack(t, "function in a field", function{func() {}}, false)
	comesBack(t, "no function in a field", struct {
		A int
		F func()
	}{A: 1}, true)
	comesBack(t, "channel", make(chan int), false)
	comesBack(t, "channel in a list", []channel{{make(chan int)}}, false)

	comesBack(t, "nil pointer", (*int)(nil), false)
	comesBack(t, "pointer to zero", &zero, true)
	comesBack(t, "pointer to zero in a field", pointers{P: &zero}, false)
	comesBack(t, "pointers in fields", pointers{P: &one}, true)
	comesBack(t, "shared pointer", pointers{&one, &one}, false)
	comesBack(t, "list", &node{"a", &node{"b", nil}}, true)
	comesBack(t, "shared node", []*node{shared, {"t", shared}}, false)
	comesBack(t, "cycle of pointers", cycle, false)
	comesBack(t, "cycle of slices", self, false)
	comesBack(t, "cycle through a map", ring, false)

	comesBack(t, "nil slice", []int(nil), true)
	comesBack(t, "empty slice", []int{}, false)
	comesBack(t, "nil map", map[string]int(nil), false)
	comesBack(t, "empty map", map[string]int{}, true)
	comesBack(t, "nil in fields", struct {
		A int
		lists
	}{A: 1}, true)
	comesBack(t, "empty slice in a field", lists{S: []int{}}, false)
	comesBack(t, "empty map in a field", lists{S: []int{1}, M: map[string]int{}}, true)
	comesBack(t, "full lists", lists{S: []int{1}, M: map[string]int{"a": 1}}, true)
	comesBack(t, "empty slice in a slice", [][]int{{}, {1}}, false)
	comesBack(t, "nil slice in a slice", [][]int{nil, {1}}, true)

	comesBack(t, "interface of a number", any(1), true)
	comesBack(t, "interface in a field", carrier{2.5}, true)
	comesBack(t, "interface of an unknown type", carrier{half{1, 0}}, false)
	comesBack(t, "nil interface", any(nil), true)
	comesBack(t, "error", errors.New("no"), false)
	comesBack(t, "time in UTC", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), true)
	comesBack(t, "local time", time.Now().Round(0), true)
	comesBack(t, "time with a monotonic clock", time.Now(), false)
	comesBack(t, "time in a named zone", time.Date(2026, 1, 2, 3, 4, 5, 6, paris), false)
	comesBack(t, "big number", *big.NewInt(math.MaxInt64), true)
	comesBack(t, "pointer to a big number", big.NewInt(1), false) // Gob panics.
	comesBack(t, "encoding that forgets", lossy{1, 2}, false)
	comesBack(t, "encoding that forgets, in a list", []any{1, []lossy{{1, 2}}}, false)
	comesBack(t, "encoding that panics", panics{1}, false)
	comesBack(t, "encoding of its own", exact{1, 2}, true)
}

// A value that was kept before its type changed is not taken for one of the new type.
func TestKeepAfterATypeChanged(t *testing.T) {
	t.Setenv("SRDIFF_KEPT", t.TempDir())
	{
		type result struct{ A, B int }
		Keep("v", 1, func() (result, error) { return result{1, 2}, nil })
	}
	type result struct{ A, C int }
	if got := Keep("v", 1, func() (result, error) { return result{1, 3}, nil }); got != (result{1, 3}) {
		t.Errorf("%+v", got)
	}
}

type marshals struct{ a int }

func (m marshals) MarshalJSON() ([]byte, error) { return fmt.Append(nil, m.a), nil }

// Inputs of which JSON drops a part are refused: others would be taken for the same.
func TestKeepInputs(t *testing.T) {
	t.Setenv("SRDIFF_KEPT", t.TempDir())
	loop := map[string]any{}
	loop["a"] = loop
	for _, test := range []struct {
		inputs any
		want   string // In the error; empty if the inputs can be used.
	}{
		{hidden{1}, `keeping "v": inputs.a is not exported, and JSON would leave it out`},
		{[]any{1, map[string]*half{"k": {1, 2}}}, "inputs[1][k].b is not exported"},
		{embedded{}, "inputs.half.b is not exported"},
		{"a\xff", "inputs is not UTF-8 text"},
		{map[string]int{"\xfe": 1}, "inputs's key is not UTF-8 text"},
		{struct{ V any }{big.Int{}}, "inputs.V.neg is not exported"},
		{loop, "no JSON form"},
		{func() {}, "no JSON form"},
		{&big.Int{}, ""},
		{struct {
			A time.Time
			B []marshals
			C []byte
			D *settings
			_ int
		}{}, ""},
		{struct {
			A int
			B half `json:"-"`
		}{}, ""},
		{nil, ""},
	} {
		_, err := newEntry("v", test.inputs, "int")
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%#v: error %v, want %q", test.inputs, err, test.want)
		}
	}
}

// BenchmarkKeepPictures measures the writing, reading and comparing of a hundred pictures.
func BenchmarkKeepPictures(b *testing.B) {
	pictures := make([]imaging.Picture, 100)
	for i := range pictures {
		pictures[i] = imaging.New(128, 128)
	}
	path := b.TempDir() + "/pictures"
	for b.Loop() {
		if err := gobSave(pictures, path); err != nil {
			b.Fatal(err)
		}
	}
}
