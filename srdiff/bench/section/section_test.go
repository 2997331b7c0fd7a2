// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package section

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	before := "# Top\n<!-- bench: cuda begin -->\nnone\n<!-- bench: cuda end -->\n" +
		"<!-- bench: cpu begin -->\nold\n<!-- bench: cpu end -->\nBottom\n"
	if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	text := "\nnew\n\nand more\n\n"
	if err := Write(path, "cpu", text); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(before, "old", "new\n\nand more", 1); string(got) != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	if err := Check(path, "cuda bfloat16"); err == nil || !strings.Contains(err.Error(),
		`"<!-- bench: cuda bfloat16 begin -->"`) {
		t.Errorf("without markers: %v", err)
	}
}
