// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package worker

import (
	"encoding/json"
	"errors"
	"strings"
)

// Result is one line of the output: what became of the job in the same line of the input.
type Result struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Job    string          `json:"job"`
	Input  string          `json:"input,omitempty"`
	Output string          `json:"output,omitempty"`
	OK     bool            `json:"ok"`
	*Made
	*Failure
}

// Made describes the result of a job that was done.
type Made struct {
	New     bool    `json:"made"`  // false for a complete result that was there already
	Width   int     `json:"width"` // of the result, in pixels
	Height  int     `json:"height"`
	Model   string  `json:"model"` // name or file
	Seed    int64   `json:"seed"`
	Seconds float64 `json:"seconds"` // from the decoded input to the written result; 0 unless New

	BytesIn  int64  `json:"bytes_in"`            // size of the input
	BytesOut int64  `json:"bytes_out,omitempty"` // size of the output
	SHA256   string `json:"sha256,omitempty"`    // of the output, in hexadecimal

	*Scores
	*Spread
}

// Scores are what a job of the kind Evaluate measures: see package benchset.
type Scores struct {
	PSNR   float64 `json:"psnr"` // dB
	SSIM   float64 `json:"ssim"`
	LRPSNR float64 `json:"lr_psnr"` // dB
}

// Spread is what a job of the kind Sample measures.
type Spread struct {
	Samples int     `json:"samples"`
	Spread  string  `json:"spread"`      // the file
	Mean    float64 `json:"mean_spread"` // mean of the file's values, on the scale 0..1
}

// Failure says why a job was not done.
type Failure struct {
	Kind  Kind   `json:"kind"`
	Error string `json:"error"` // one line
}

// Kind says what a job failed of, and so whether it makes sense to try again.
type Kind string

// The kinds of failures. Read and Write may pass, as those of a network or of a full disk. The others
// are the same the next time.
const (
	BadJob     Kind = "job"      // the line is no job, or asks for what does not exist
	Read       Kind = "read"     // a file cannot be read
	BadPicture Kind = "picture"  // a file is not a picture that can be read or enlarged
	Memory     Kind = "memory"   // the result takes more memory than is allowed
	Write      Kind = "write"    // a file cannot be written
	BadModel   Kind = "model"    // the model cannot be read, or makes no picture
	BadPair    Kind = "evaluate" // the result cannot be compared with the original
)

// Error is an error of one job.
type Error struct {
	Kind Kind
	Err  error
}

// Fail returns err as an error of a kind. An error that has a kind keeps it, and nil stays nil.
func Fail(kind Kind, err error) error {
	if _, ok := errors.AsType[*Error](err); ok || err == nil {
		return err
	}
	return &Error{kind, err}
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error without its kind.
func (e *Error) Unwrap() error { return e.Err }

// failure describes an error.
func failure(err error) *Failure {
	f := &Failure{BadModel, strings.Join(strings.Fields(err.Error()), " ")}
	if e, ok := errors.AsType[*Error](err); ok {
		f.Kind = e.Kind
	}
	return f
}
