// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

// A Fingerprinter is a Source that identifies its data.
type Fingerprinter interface {
	// Fingerprint returns a short text that is the same for the same data, on every machine, and
	// differs for other data. It depends only on the pictures, and not on the place or time of
	// their storage: for CIFAR-10 on its pixels, for generated pictures on the generator's version
	// and options, for a folder on the names of its files below it, their sizes and samples of
	// their content. The first call may read the files and can take some seconds. It is safe for
	// concurrent use.
	Fingerprint() string
}

// Fingerprint returns the fingerprint of src, "" if it is no Fingerprinter.
func Fingerprint(src Source) string {
	if f, ok := src.(Fingerprinter); ok {
		return f.Fingerprint()
	}
	return ""
}
