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
// cannot control a terminal.
func printLine(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, escape(fmt.Sprintf(format, args...))+"\n")
	return err
}

// escape replaces every character that is not printable by its Go escape, such as \n.
func escape(text string) string {
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

	lock     sync.Mutex
	err      error
	onClosed func() // if not nil, it is called once when the reader closes the pipe
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
	if isBrokenPipe(err) && s.onClosed != nil {
		s.onClosed()
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

// onClosedPipe calls do once, when a write to w fails because its pipe has no reader.
func onClosedPipe(w io.Writer, do func()) {
	if s, ok := w.(*stream); ok {
		s.lock.Lock()
		defer s.lock.Unlock()
		s.onClosed = do
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

// isTerminal reports whether r is a terminal.
func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
