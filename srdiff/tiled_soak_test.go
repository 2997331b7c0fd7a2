// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build soak

package srdiff

import "testing"

// The tiles that are used, on a result of 512x512.
func TestTilesOf512HaveNoSeams(t *testing.T) { noSeams(t, tileSize, tileOverlap, 128, 128) }
