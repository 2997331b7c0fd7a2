// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package partfile

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
)

// FuzzRead reads a part's record: what is accepted can be used.
func FuzzRead(f *testing.F) {
	text, err := json.Marshal(Record{Made: []byte(`{"model":"m","options":{"eta":"1"}}`), Part: [2]int{1, 2}, Rows: [2]int{0, 2}, Width: 3, Height: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(`{"made":null,"part":[1,1],"rows":[0,2],"width":3,"height":2}`)
	f.Add(`{"part":[1,1],"rows":[0,2],"width":3,"height":2}`)
	f.Add("{\"made\":{\"\xb4\":1},\"part\":[1,1],\"rows\":[0,2],\"width\":3,\"height\":2}")
	f.Add(`{"made":{},"part":[1,1],"rows":[-1,1],"width":3,"height":1}`)
	f.Add(`{"made":{},"part":[1,1],"rows":[0,2],"width":3,"height":9223372036854775807}`)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := os.Create(filepath.Join(t.TempDir(), "part"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		values := func(yield func([]float32, error) bool) { yield(make([]float32, 18), nil) }
		if err := checkpoint.WriteStream(file, streamOf(text, []uint64{2, 3, 3}), values); err != nil {
			if !utf8.ValidString(text) {
				return
			}
			t.Fatal(err)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		p, err := Read(file)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		height := 0
		for strip, err := range p.Strips() {
			if err != nil {
				t.Fatal(err)
			}
			height += strip.Height
		}
		if height != 2 || p.Width != 3 || Difference(p.Record, p.Record) != "" {
			t.Errorf("%q has %d rows of %d", text, height, p.Width)
		}
	})
}

func TestDifference(t *testing.T) {
	record := func(made string) Record { return Record{Made: []byte(made), Part: [2]int{1, 2}} }
	for _, test := range []struct{ got, want, difference string }{
		{`{"seed":7}`, `{"seed":7}`, ""},
		{`{"seed":7}`, `{"seed":8}`, "its seed is 7 and not 8"},
		{`{}`, `{"seed":8}`, "its seed is not given and not 8"},
		{`{"seed":7}`, `{}`, "its seed is 7 and not the default"},
	} {
		if d := Difference(record(test.got), record(test.want)); d != test.difference {
			t.Errorf("%s beside %s: %q, want %q", test.got, test.want, d, test.difference)
		}
	}
	other := record(`{}`)
	other.Part[0] = 2
	if d := Difference(other, record(`{}`)); d != "its part is [2,2] and not [1,2]" {
		t.Error(d)
	}
}
