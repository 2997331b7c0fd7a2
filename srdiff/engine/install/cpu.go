// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
)

// CPU makes sure that there is a plugin for the engine "xla:cpu" and returns its file. One that is there and works stays.
// Otherwise go-xla's plugin is taken from GitHub, or else one is built from a wheel of TensorFlow, which takes a download of
// 274 MB, 1.2 GB of disk, a C++ compiler and two minutes, on linux/amd64 only. The error says in one line why neither
// worked.
func CPU(ctx context.Context, report Report) (path string, err error) {
	return once(ctx, "cpu", report, func(folder string) (string, error) {
		path, gitHubErr := fromGitHub(ctx, folder, report)
		if gitHubErr == nil {
			return path, nil
		}
		path, wheelErr := fromWheel(ctx, folder, report)
		switch {
		case wheelErr == nil:
			return path, nil
		case ctx.Err() != nil:
			return "", fmt.Errorf("the installation was stopped: %w", context.Cause(ctx))
		}
		return "", fmt.Errorf("no plugin for XLA on the processor: from GitHub: %w; from PyPI: %w; the engine go works without",
			gitHubErr, wheelErr)
	})
}
