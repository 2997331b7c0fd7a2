// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"context"
	"errors"
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
// the cell with status 1. An error that wraps context.Canceled, which is what work says that the interrupt button
// stopped, is shown as a stop, not as a mistake. Outside a notebook the error goes to standard error.
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
	label, edge, ground, text := "Error", "#b91c1c", "#fee2e2", "#7f1d1d"
	if errors.Is(err, context.Canceled) {
		label, edge, ground, text = "Stopped", "#1d4ed8", "#dbeafe", "#1e3a8a"
	}
	return fmt.Sprintf(`<div style="border-left:4px solid %s;background-color:%s;color:%s;padding:8px 12px;`+
		`white-space:pre-wrap"><b>%s:</b> %s</div>`, edge, ground, text, label, html.EscapeString(err.Error()))
}
