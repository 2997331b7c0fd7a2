# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Jupyter's own tests of a kernel (jupyter_kernel_test) on the kernel as `make lab` installs it: run `make test-kernel`.

Tests that GoNB v0.11.5 fails are marked as expected failures, and are reported once they pass. Tests without a sample
here need what a Go cell does not have: a value (execute_result), a pager, and code that clears its output.
"""
import unittest

import jupyter_kernel_test


class KernelTest(jupyter_kernel_test.KernelTests):
    kernel_name = "gonb"
    language_name = "go"
    file_extension = ".go"
    code_hello_world = '%%\nfmt.Println("hello, world")'
    code_stderr = '%%\nfmt.Fprintln(os.Stderr, "oh")'
    code_generate_error = '%%\npanic("oh")'
    code_inspect_sample = 'import "fmt"\n\n%%\nfmt.Println("hello")'
    code_display_data = [{"code": '%%\ngonbui.DisplayHTML("<b>hello</b>")\ngonbui.Sync()', "mime": "text/html"}]
    completion_samples = [
        {"text": 'import "fmt"\n\n%%\nfmt.Printl', "matches": ["Println", "Fprintln", "Sprintln"]},
    ]
    complete_code_samples = ["%%\nfmt.Println()"]
    incomplete_code_samples = ["%%\nfmt.Println("]
    timeout = 30  # Seconds. The first completion of a fresh kernel takes some 12: GoNB waits that long for gopls.

    def get_non_kernel_info_reply(self, timeout=None):
        return super().get_non_kernel_info_reply(timeout=timeout or self.timeout)

    @unittest.expectedFailure  # The reply is an error, as it has to be, but the panic is on stderr too.
    def test_error(self):
        super().test_error()

    @unittest.expectedFailure  # There is no reply.
    def test_is_complete(self):
        self.timeout = 3
        super().test_is_complete()

    @unittest.expectedFailure  # There is no reply.
    def test_history(self):
        self.assertIsNotNone(self.history_helper([], timeout=3, hist_access_type="tail", n=1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
