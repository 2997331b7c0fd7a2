// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package models

import (
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff"
)

// Every embedded file is in the table once, and the table says what is in the file.
func TestAll(t *testing.T) {
	entries, err := files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var embedded, listed []string
	size := 0
	for _, entry := range entries {
		embedded = append(embedded, entry.Name())
	}
	for _, m := range All {
		listed = append(listed, m.File)
		size += len(m.Bytes())
		if m.Name == "" || m.For == "" || m.Figures == "" || strings.ContainsAny(m.Name, `/\.`) {
			t.Errorf("%+v: want a name that is no path, and what the model is for and came to", m)
		}
		c, err := srdiff.ParseConfig(m.Bytes())
		if err != nil {
			t.Errorf("%s: %v", m.File, err)
		} else if c.Factor != m.Factor {
			t.Errorf("%s has the factor %d, and the table says %d", m.File, c.Factor, m.Factor)
		}
	}
	slices.Sort(listed)
	if !slices.Equal(embedded, listed) {
		t.Errorf("the program has the files %q, and the table %q", embedded, listed)
	}
	if size > 12e6 {
		t.Errorf("the models take %d bytes: want at most 12 MB", size)
	}
}

func TestFind(t *testing.T) {
	saved := All
	t.Cleanup(func() { All = saved })
	All = []Model{{Name: "a", Factor: 4}, {Name: "b", Factor: 2}, {Name: "a", Factor: 2}, {Name: "a", Factor: 3}}
	for _, c := range []struct {
		name  string
		times float64
		want  int
	}{{"", 4, 4}, {"a", 1.5, 2}, {"a", 2, 2}, {"a", 2.5, 3}, {"a", 3.5, 4}, {"a", 8, 4}, {"b", 8, 2}, {"b", 1, 2}} {
		m, err := Find(c.name, c.times)
		if err != nil || m.Factor != c.want {
			t.Errorf("%q for %g is %+v, %v, want the factor %d", c.name, c.times, m, err, c.want)
		}
	}
	if _, err := Find("c", 4); err == nil || !strings.Contains(err.Error(), "want a, b") {
		t.Errorf("an unknown name: %v", err)
	}
}
