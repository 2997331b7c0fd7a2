// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/janpfeifer/gonb/gonbui"
)

// Must returns v, or ends the cell as Check does:
//
//	picture := kernelext.Must(imaging.Open("cat.png"))
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check does nothing if err is nil. Otherwise it shows the error as one red block, without a stack
// trace, and ends the cell with status 1. An error that wraps context.Canceled means that the
// interrupt button stopped the work; it is shown in blue, as a stop. Outside a notebook the error
// is written to standard error, as one line.
func Check(err error) {
	if err == nil {
		return
	}
	if gonbui.IsNotebook {
		gonbui.DisplayHTML(errorHTML(err))
		flush()
	} else {
		fmt.Fprintln(os.Stderr, "error:", printable(err.Error()))
	}
	os.Exit(1)
}

// errorHTML sets text and background colours, so that it is readable on a light and on a dark page.
func errorHTML(err error) string {
	label, edge, ground, text := "Error", "#b91c1c", "#fee2e2", "#7f1d1d"
	if errors.Is(err, context.Canceled) {
		label, edge, ground, text = "Stopped", "#1d4ed8", "#dbeafe", "#1e3a8a"
	}
	return fmt.Sprintf(`<div style="border-left:4px solid %s;background-color:%s;color:%s;padding:8px 12px;`+
		`white-space:pre-wrap"><b>%s:</b> %s</div>`, edge, ground, text, label, html.EscapeString(err.Error()))
}

// printable returns text as one line without control characters. They may come from the name of a
// file, and a terminal would obey them.
func printable(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
	var b strings.Builder
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		if unicode.IsPrint(r) && !(r == utf8.RuneError && size == 1) {
			b.WriteRune(r)
		} else {
			quoted := strconv.Quote(text[i : i+size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
