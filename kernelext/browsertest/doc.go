// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package browsertest tests the outputs of cells in JupyterLab. It starts JupyterLab as `make lab`
// does, opens notebooks in Chromium or Chrome, runs cells, drags sliders, presses buttons and
// checks the page.
//
// The tests have the build tag browser and run with `make test-browser`. They write screenshots of
// failed tests to .lab/build/browser.
package browsertest
