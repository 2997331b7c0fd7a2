// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
)

// CPU returns the file of a plugin for the engine "xla:cpu", and installs one if there is none that
// works. It takes go-xla's plugin from GitHub, or else builds one from a wheel of TensorFlow. That
// needs linux/amd64, a download of 274 MB, 1.2 GB of disk, a C++ compiler and two minutes. The
// error says in one line why neither worked.
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
