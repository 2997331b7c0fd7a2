// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"html"
	"os"

	"github.com/janpfeifer/gonb/gonbui"
)

// Must returns v, or ends the cell as Check does:
//
//	picture := kernelext.Must(imaging.Open("cat.png"))
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check does nothing if err is nil. Otherwise it shows the error as one red block, without a stack trace, and ends
// the cell with status 1. Outside a notebook the error goes to standard error.
func Check(err error) {
	if err == nil {
		return
	}
	if gonbui.IsNotebook {
		gonbui.DisplayHTML(errorHTML(err))
		flush()
	} else {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	os.Exit(1)
}

// errorHTML has its own colours, so that it reads well on a light and on a dark page.
func errorHTML(err error) string {
	const style = "border-left:4px solid #b91c1c;background-color:#fee2e2;color:#7f1d1d;padding:8px 12px;" +
		"white-space:pre-wrap"
	return fmt.Sprintf(`<div style="%s"><b>Error:</b> %s</div>`, style, html.EscapeString(err.Error()))
}
