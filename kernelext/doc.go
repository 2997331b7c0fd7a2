// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package kernelext gives the cells of a Go notebook what a Jupyter kernel for Go lacks: a context
// that ends with the interrupt button, errors as one line, pictures, charts, progress bars, a live
// chart of the loss, sliders that redraw what depends on them, and values that outlive their cell.
//
// A GoNB cell is a program of its own. It sends what it displays through a pipe to the kernel,
// which adds it to the notebook, where it is saved. Only the sliders of [Interact] need a script in
// the browser, and only while their cell runs, so a notebook looks the same before JupyterLab
// trusts it. Outside a notebook, pictures and charts are not shown, and progress and errors are
// written to standard error.
package kernelext
