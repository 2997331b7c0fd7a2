// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

// notes is a program that notes what it does.
type notes struct {
	mu      sync.Mutex
	events  []string
	jobs    atomic.Int32 // that are read and not written
	most    atomic.Int32
	reading func(Job) error
	making  func(context.Context, Job) error
	writing func(Job) error
}

func (n *notes) add(event string, j Job) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, event+" "+j.Input)
}

func (n *notes) Key(name string) string { return path.Clean(name) }

func (n *notes) Read(ctx context.Context, j Job, m *Made) (Making, error) {
	now := n.jobs.Add(1)
	for most := n.most.Load(); now > most && !n.most.CompareAndSwap(most, now); most = n.most.Load() {
	}
	n.add("read", j)
	if n.reading != nil {
		if err := n.reading(j); err != nil {
			n.jobs.Add(-1)
			return nil, err
		}
	}
	return func(ctx context.Context) (Writing, error) {
		n.add("make", j)
		if n.making != nil {
			if err := n.making(ctx, j); err != nil {
				n.jobs.Add(-1)
				return Writing{}, err
			}
		}
		m.New, m.Width = true, 8
		return Writing{Write: func(context.Context) error {
			n.add("write", j)
			n.jobs.Add(-1)
			if n.writing != nil {
				return n.writing(j)
			}
			return nil
		}}, nil
	}, nil
}

// results runs lines and returns the results.
func results(t *testing.T, in io.Reader, p Program) (list []map[string]any, counts Counts) {
	t.Helper()
	var out bytes.Buffer
	counts, err := Run(t.Context(), in, &out, p)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, r)
	}
	return list, counts
}

func job(input string) string {
	return fmt.Sprintf(`{"id":%q,"input":%[1]q,"output":"%[1]s-out"}`, input)
}

// Every line has its result in its place, whatever is wrong with it, and with it its id.
func TestResultsInOrder(t *testing.T) {
	fails := func(at string) func(Job) error {
		return func(j Job) error {
			if strings.HasPrefix(j.Input, at) {
				return Fail(Kind(at), errors.New("of "+at+"\nand more"))
			}
			return nil
		}
	}
	n := &notes{reading: fails("read"), writing: fails("write"),
		making: func(_ context.Context, j Job) error { return errors.Join(fails("memory")(j), fails("model")(j)) }}
	var in strings.Builder
	var want []string
	for i := range 200 {
		name := []string{"read", "memory", "model", "write", "good", "good", "", "long"}[i*7%8]
		switch name {
		case "":
			in.WriteString("\n")
			want = append(want, "job")
		case "long":
			fmt.Fprintf(&in, "{%*s}\n", MaxLine, "")
			want = append(want, "job")
		default:
			in.WriteString(job(fmt.Sprint(name, i)) + "\n")
			want = append(want, fmt.Sprint(name, i))
		}
	}
	list, counts := results(t, iotest.OneByteReader(strings.NewReader(in.String()[:len(in.String())-1])), n)
	if len(list) != 200 {
		t.Fatalf("%d results", len(list))
	}
	for i, r := range list {
		ok := strings.HasPrefix(want[i], "good")
		switch text, _ := r["error"].(string); {
		case r["ok"] != ok, ok && (r["width"] != 8.0 || r["made"] != true || r["id"] != want[i] || r["output"] != want[i]+"-out"):
			t.Errorf("line %d, of %s, has the result %v", i+1, want[i], r)
		case !ok && (text == "" || strings.Contains(text, "\n") || !strings.HasPrefix(want[i], r["kind"].(string))):
			t.Errorf("line %d, of %s, has the result %v", i+1, want[i], r)
		case !ok && want[i] != "job" && r["id"] != want[i]:
			t.Errorf("line %d has the id %v", i+1, r["id"])
		}
	}
	if counts != (Counts{Made: 50, Failed: 150}) {
		t.Errorf("counts are %+v", counts)
	}
	if most := n.most.Load(); most > 5 {
		t.Errorf("%d jobs were on their way at once", most)
	}
}

// The next input is read while a result is made, and a result is made while the one before is written.
func TestSideBySide(t *testing.T) {
	secondRead, secondMade := make(chan struct{}), make(chan struct{})
	wait := func(c chan struct{}) error {
		select {
		case <-c:
			return nil
		case <-time.After(10 * time.Second):
			return errors.New("it does not come")
		}
	}
	n := &notes{
		reading: func(j Job) error {
			if j.Input == "b" {
				close(secondRead)
			}
			return nil
		},
		making: func(_ context.Context, j Job) error {
			if j.Input == "b" {
				close(secondMade)
				return nil
			}
			return wait(secondRead)
		},
		writing: func(j Job) error {
			if j.Input == "a" {
				return wait(secondMade)
			}
			return nil
		},
	}
	list, counts := results(t, strings.NewReader(job("a")+"\n"+job("b")), n)
	if counts.Made != 2 {
		t.Errorf("results: %v", list)
	}
}

// A job is not read before the jobs are written whose results it reads or replaces.
func TestJobsThatNeedOthers(t *testing.T) {
	for _, second := range []string{`{"input":"./a-out","output":"c"}`, `{"input":"b","output":"x/../a-out"}`, `{"job":"evaluate","input":"b","original":"a-out"}`} {
		written := false
		n := &notes{
			reading: func(j Job) error {
				if j.Input != "a" && !written {
					return errors.New("read too early")
				}
				return nil
			},
			writing: func(j Job) error {
				time.Sleep(20 * time.Millisecond)
				written = true
				return nil
			},
		}
		if list, counts := results(t, strings.NewReader(job("a")+"\n"+second), n); counts.Made != 2 {
			t.Errorf("%s: %v", second, list)
		}
	}
}

// failingWriter fails after some lines.
type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, errors.New("nobody reads")
	}
	return len(p), nil
}

// Errors of the streams end the work, also while the input goes on for ever.
func TestStreamsFail(t *testing.T) {
	endless, w := io.Pipe()
	defer endless.Close()
	go func() {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintln(w, job(fmt.Sprint(i))); err != nil {
				return
			}
		}
	}()
	if _, err := Run(t.Context(), endless, &failingWriter{3}, &notes{}); err == nil || err.Error() != "nobody reads" {
		t.Error(err)
	}
	broken := io.MultiReader(strings.NewReader(job("a")+"\n"+job("b")), iotest.ErrReader(errors.New("broken")))
	if _, err := Run(t.Context(), broken, io.Discard, &notes{}); err == nil || err.Error() != "reading jobs from standard input: broken" {
		t.Error(err)
	}
}

// An interrupt drops the job that is made, which has no result, and does not wait for the input.
func TestInterrupt(t *testing.T) {
	in, w := io.Pipe() // it stays open
	defer w.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	n := &notes{making: func(ctx context.Context, j Job) error {
		if j.Input == "b" {
			interrupt()
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}}
	go fmt.Fprintln(w, job("a")+"\n"+job("b")+"\n"+job("c"))
	var out bytes.Buffer
	counts, err := Run(ctx, in, &out, n)
	if !errors.Is(err, context.Canceled) || counts.Failed > 0 || strings.Contains(out.String(), `"b"`) || strings.Contains(out.String(), `"c"`) {
		t.Errorf("%v, %+v, printed %s", err, counts, out.String())
	}
}
