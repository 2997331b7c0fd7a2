// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Skipper is a Source that may have to skip some of its files.
type Skipper interface {
	// Skipped returns an error of one line for each file that was skipped so far, with its name:
	// unreadable files and folders first, then pictures that are too small. A file that is damaged
	// is found when it is first used, so there may be more errors at the end of a run than at its
	// start. It is safe for concurrent use.
	Skipped() []error
}

// Skipped returns the errors of the files that src skipped so far, or nil if it is not a Skipper.
func Skipped(src Source) []error {
	if s, ok := src.(Skipper); ok {
		return s.Skipped()
	}
	return nil
}

// mostNamed is how many files a line names.
const mostNamed = 3

// SkippedLine returns a line for people about what src has skipped so far, with the first few files
// and reasons; "" if there is nothing. A run shows it at its start, and at its end if it has
// changed.
func SkippedLine(src Source) string {
	skipped := Skipped(src)
	if len(skipped) == 0 {
		return ""
	}
	named := make([]string, len(skipped))
	for i, err := range skipped {
		named[i] = err.Error()
	}
	files := "1 file was"
	if len(skipped) > 1 {
		files = grouped(len(skipped)) + " files were"
	}
	return fmt.Sprintf("%s skipped: %s", files, few(named, "; "))
}

// firstFew lists the first names and counts the rest.
func firstFew(names []string) string { return few(names, ", ") }

func few(names []string, separator string) string {
	line := strings.Join(names[:min(len(names), mostNamed)], separator)
	if more := len(names) - mostNamed; more > 0 {
		line += fmt.Sprintf("%sand %s more", separator, grouped(more))
	}
	return line
}

// shown returns a path for people: quoted where it holds characters that could change the terminal.
func shown(path string) string {
	strange := func(r rune) bool { return !unicode.IsPrint(r) }
	if utf8.ValidString(path) && strings.IndexFunc(path, strange) < 0 {
		return path
	}
	return strconv.Quote(path)
}
