// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the greatest length of a job's line, in bytes.
const MaxLine = 1 << 20

// errLongLine is the error of a line that is longer than MaxLine.
var errLongLine = fmt.Errorf("the line is longer than %d bytes", MaxLine)

// lines reads lines.
type lines struct{ r *bufio.Reader }

func newLines(r io.Reader) lines { return lines{bufio.NewReaderSize(r, 1<<16)} }

// next returns the next line without its end. It returns errLongLine for a long line, which it skips,
// and io.EOF after the last line, which need not end in a newline.
func (l lines) next() (line []byte, err error) {
	long := false
	for {
		part, err := l.r.ReadSlice('\n')
		if !long {
			line = append(line, part...)
		}
		if len(line) > MaxLine+1 { // a newline
			long, line = true, nil
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && (long || len(line) > 0): // The next call returns io.EOF.
		case err != nil:
			return nil, err
		}
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		if long || len(line) > MaxLine {
			return nil, errLongLine
		}
		return line, nil
	}
}
