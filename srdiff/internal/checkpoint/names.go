// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
)

// NetworkNames returns the tensors under the network's own names. It removes the prefixes of
// PyTorch's wrappers: "module." at the front (DataParallel, DistributedDataParallel), and
// "_orig_mod." before any part that torch.compile has compiled. Two tensors with the same resulting
// name are an error.
func NetworkNames(named map[string]*tensors.Tensor) (map[string]*tensors.Tensor, error) {
	plain := make(map[string]*tensors.Tensor, len(named))
	from := make(map[string]string, len(named))
	for _, name := range slices.Sorted(maps.Keys(named)) {
		short := networkName(name)
		if other, twice := from[short]; twice {
			return nil, fmt.Errorf("tensors %q and %q are both weight %s", other, name, short)
		}
		from[short], plain[short] = name, named[name]
	}
	return plain, nil
}

func networkName(name string) string {
	parts := slices.DeleteFunc(strings.Split(name, "."), func(part string) bool { return part == "_orig_mod" })
	for len(parts) > 1 && parts[0] == "module" {
		parts = parts[1:]
	}
	return strings.Join(parts, ".")
}
