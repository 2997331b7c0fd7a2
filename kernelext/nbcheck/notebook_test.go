// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// One code cell each, with outputs as GoNB v0.11.5 sends them.
const (
	sentHello = `{"name":"stdout","output_type":"stream","text":["hello\n"]}`
	sentPanic = `{"name":"stderr","output_type":"stream","text":["pan"]},
		{"name":"stderr","output_type":"stream","text":["ic: boom\n","\n","goroutine 1 [running]:\n","main.main()\n",
		"\t \u001b[7m[[ Cell [1] Line 2 ]]\u001b[0m /tmp/gonb_9361/main.go:10 +0x65\n"]}`
	sentExit    = `{"name":"stderr","output_type":"stream","text":["exit status 3\n"]}`
	sentKill    = `{"name":"stderr","output_type":"stream","text":"^C\nsignal: killed\n"}`
	sentError   = `{"ename":"ERROR","evalue":"exit status 3","output_type":"error","traceback":["exit status 3"]}`
	sentCompile = `{"output_type":"display_data","metadata":{},"data":{"text/html":["<style>\n",".x {}\n","</style>\n",
		"<div><span class=\"gonb-err-location\">./main.go:10:13: </span>cannot use &#34;s&#34;</div>\n"]}}`
	sentProgress = `{"output_type":"display_data","metadata":{},"data":{"text/html":"<div>50/100</div>"}}`
	sentTalk     = `{"name":"stdout","output_type":"stream","text":["the exit status 3 and a panic: of words\n"]}`
)

func book(cells ...string) string {
	return `{"cells":[{"cell_type":"markdown","source":["# exit status 1"]},` + strings.Join(cells, ",") +
		`],"metadata":{"kernelspec":{"name":"other"}},"nbformat":4,"nbformat_minor":5}`
}

func cell(outputs ...string) string {
	return fmt.Sprintf(`{"cell_type":"code","id":"a","execution_count":1,"outputs":[%s],
		"metadata":{"execution":{"iopub.status.busy":"2026-01-01T00:00:00Z"},"tags":["kept"]},
		"source":["%%%%\n","// About it.\n","run(1<2)\n"]}`, strings.Join(outputs, ","))
}

func TestProblems(t *testing.T) {
	for _, test := range []struct {
		name, cell string
		want       []string // In the report; none if the cell is good.
	}{
		{"good", cell(sentHello, sentProgress), nil},
		{"no outputs", cell(), nil},
		{"words in stdout", cell(sentTalk), nil},
		{"panic", cell(sentHello, sentPanic),
			[]string{"code cell 2: run(1<2)", "hello", "panic: boom", "[[ Cell [1] Line 2 ]]"}},
		{"exit status", cell(sentExit), []string{"exit status 3"}},
		{"killed", cell(sentKill), []string{"signal: killed"}},
		{"error reply", cell(sentError), []string{"ERROR: exit status 3"}},
		{"compile error", cell(sentCompile), []string{`./main.go:10:13: cannot use "s"`}},
		{"not executed", `{"cell_type":"code","source":"x","outputs":[],"execution_count":null}`,
			[]string{"was not executed"}},
		{"empty cell", `{"cell_type":"code","source":" \n","outputs":[],"execution_count":null}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			nb, err := parse([]byte(book(cell(), test.cell)))
			if err != nil {
				t.Fatal(err)
			}
			problems := nb.problems()
			if test.want == nil {
				if len(problems) > 0 {
					t.Fatalf("found %v", problems)
				}
				return
			}
			if len(problems) != 1 || problems[0].cell != 2 {
				t.Fatalf("found %v, want one problem in code cell 2", problems)
			}
			for _, want := range test.want {
				if !strings.Contains(problems[0].String(), want) {
					t.Errorf("no %q in:\n%s", want, problems[0])
				}
			}
		})
	}
}

func TestNormalised(t *testing.T) {
	nb, err := parse([]byte(book(cell(sentPanic, sentHello, sentHello))))
	if err != nil {
		t.Fatal(err)
	}
	data, err := nb.normalised()
	if err != nil {
		t.Fatal(err)
	}
	const want = `  {
   "cell_type": "code",
   "execution_count": 1,
   "id": "a",
   "metadata": {
    "tags": [
     "kept"
    ]
   },
   "outputs": [
    {
     "name": "stderr",
     "output_type": "stream",
     "text": [
      "panic: boom\n",
      "\n",
      "goroutine 1 [running]:\n",
      "main.main()\n",
      "\t \u001b[7m[[ Cell [1] Line 2 ]]\u001b[0m /tmp/gonb_9361/main.go:10 +0x65\n"
     ]
    },
    {
     "name": "stdout",
     "output_type": "stream",
     "text": [
      "hello\n",
      "hello\n"
     ]
    }
   ],
   "source": [
    "%%\n",
    "// About it.\n",
    "run(1<2)\n"
   ]
  }
 ],
 "metadata": {
  "kernelspec": {
   "display_name": "Go (srdiff)",
   "language": "go",
   "name": "gonb"
  },
  "language_info": {
   "file_extension": ".go",
   "mimetype": "text/x-go",
   "name": "go"
  }
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
`
	if !strings.HasSuffix(string(data), want) {
		t.Errorf("written:\n%s\nwant at the end:\n%s", data, want)
	}
	again, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if twice, err := again.normalised(); err != nil || !bytes.Equal(data, twice) {
		t.Errorf("written twice it differs (%v):\n%s", err, twice)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(book(cell(sentPanic, sentCompile, sentError))))
	f.Add([]byte(`{"cells":[null,1,{"cell_type":"code","outputs":[[],{"output_type":"stream","text":7}]}]}`))
	f.Add([]byte(`[]`))
	for _, name := range []string{"good.ipynb", "failing.ipynb"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		nb, err := parse(data)
		if err != nil {
			return
		}
		nb.problems()
		if _, err := nb.normalised(); err != nil {
			t.Error(err)
		}
	})
}
