// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package install

import (
	"os/exec"
	"syscall"
	"time"

	"github.com/gomlx/go-xla/installer"
)

// freeSpace returns how many bytes can be written to a folder, 0 if that cannot be said.
func freeSpace(folder string) int64 {
	var s syscall.Statfs_t
	if syscall.Statfs(folder, &s) != nil {
		return 0
	}
	return int64(s.Bavail) * s.Bsize
}

// killGroup makes a command take the processes that it starts with it when its context ends.
func killGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
}

func cudaInstall(plugin, version, folder string) error {
	return installer.CudaInstall(plugin, version, folder, true, installer.Quiet)
}
