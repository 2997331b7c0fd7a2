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

func TestWriteNamesWhatIsSlower(t *testing.T) {
	table := func(train, forward, sampling string) string {
		return "| a | 1 |\n\nThe others' time divided by srdiff's: above 1, srdiff is faster.\n\n| | best | jax |\n|---|---|---|\n| train | " +
			train + " | 2.05 |\n| forward | 1.00 | " + forward + " |\n| sampling | " + sampling + " | - |\n\n- note | 3 |\n"
	}
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(path, []byte("<!-- bench: cpu begin -->\n<!-- bench: cpu end -->\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{table("1.20", "2.0", "1.5"), ""}, // there was none
		{table("1.15", "1.91", "-"), ""},
		{table("1.09", "1.9", "9"), "train beside best was 1.15 and is 1.09"},
		{table("1.2", "0.5", "8"), "forward beside jax was 1.9 and is 0.5; sampling beside best was 9 and is 8"},
	} {
		err := Write(path, "cpu", c.text)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), "slower than the old one: "+c.want)) {
			t.Errorf("%v, want %q", err, c.want)
		}
		got, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(got), strings.TrimSpace(c.text)) {
			t.Errorf("the result is not in the file: %v", err)
		}
	}
}
