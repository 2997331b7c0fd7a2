// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// printLine writes one line for people. Every message and every line of progress goes through it:
// control characters, which file names may hold, are escaped, so that a line stays one line and
// cannot command a terminal.
func printLine(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, escaped(fmt.Sprintf(format, args...))+"\n")
	return err
}

// escaped returns text with everything that does not show as itself in Go's notation, such as \n.
func escaped(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch _, size := utf8.DecodeRuneInString(text[i:]); {
		case r == utf8.RuneError && size == 1: // no UTF-8
			fmt.Fprintf(&b, "\\x%02x", text[i])
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// stream is standard output or standard error. It remembers the first write that failed.
type stream struct {
	name string
	w    io.Writer

	lock sync.Mutex
	err  error
	gone func() // called once when the reader of a pipe has gone, if not nil
}

// Write implements io.Writer. Its errors name the stream and not a file.
func (s *stream) Write(p []byte) (int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	if err == nil {
		return n, nil
	}
	if readerGone(err) && s.gone != nil {
		s.gone()
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	s.err = fmt.Errorf("writing to %s: %w", s.name, err)
	return n, s.err
}

// failed returns the error of the first write that failed.
func (s *stream) failed() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.err
}

// whenGone has do called when nobody reads w any more, which is then a closed pipe.
func whenGone(w io.Writer, do func()) {
	if s, ok := w.(*stream); ok {
		s.lock.Lock()
		defer s.lock.Unlock()
		s.gone = do
	}
}

// terminalOf returns the terminal that w writes to, or nil.
func terminalOf(w io.Writer) *os.File {
	if s, ok := w.(*stream); ok {
		w = s.w
	}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return nil
}

// isTerminal is whether r reads what is typed.
func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
