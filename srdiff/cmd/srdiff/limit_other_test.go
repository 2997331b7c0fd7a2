// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

const canLimitFiles = false

func limitFiles() { panic("this system has no limit for files") }
