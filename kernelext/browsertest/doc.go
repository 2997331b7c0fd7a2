// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package browsertest tries what cells show in JupyterLab, as a person would: it starts JupyterLab as `make lab` does,
// opens notebooks in Chromium or Chrome, runs cells, drags sliders, presses buttons and looks at what is on the page.
//
// The tests have the build tag browser and run with `make test-browser`. Screenshots of those that fail are kept in
// .lab/build/browser.
package browsertest
