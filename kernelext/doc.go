// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package kernelext gives the cells of a Go notebook what a Jupyter kernel for Go lacks: a context that ends with the
// interrupt button, errors as one line, pictures, charts, progress bars, a live chart of the loss, sliders that redraw
// what they change, and values that outlive their cell.
//
// A GoNB cell is a program of its own. What it shows goes through a pipe to the kernel, and from there into the
// notebook, where it stays when the notebook is saved. None of it needs a script in the browser, so a notebook that
// JupyterLab does not trust yet looks the same; only the sliders of [Interact] have one, while their cell runs. Outside
// a notebook, pictures and charts are not shown, and progress and errors are written to standard error.
package kernelext
