// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// doubling is a program without a network. Its model "detail" refines.
type doubling struct {
	hold  chan struct{} // if not nil, every job waits for a value
	space func(bytes int64) error
}

func (d *doubling) CheckSpace(_ string, bytes int64) error {
	if d.space == nil {
		return nil
	}
	return d.space(bytes)
}

func (d *doubling) Models() []Model {
	return []Model{{Name: "plain", For: "tests", Factor: 2}, {Name: "detail", For: "tests", Factor: 2, Detail: true}}
}

func (d *doubling) Check(s Settings) error {
	if s.Model != "plain" && s.Model != "detail" {
		return fmt.Errorf("no model is called %q: want plain, detail", s.Model)
	}
	return nil
}

func (d *doubling) Open(s Settings) (Enlarger, error) { return enlarging{d, s}, nil }

type enlarging struct {
	*doubling
	Settings
}

func (e enlarging) Detail() bool { return e.Model == "detail" }

func (e enlarging) Check(file *imaging.File, _ imaging.Format) error {
	if file.Image.Bounds().Dx() == 13 {
		return errors.New("a width of 13 is unlucky")
	}
	return nil
}

func (e enlarging) Output(file *imaging.File, format imaging.Format) imaging.Output {
	size := file.Image.Bounds().Size().Mul(2)
	if e.Scale > 0 {
		size = image.Pt(int(float64(size.X)*e.Scale/2), int(float64(size.Y)*e.Scale/2))
	}
	return imaging.Output{Format: format, Width: size.X, Height: size.Y, Like: file.Image, Quality: 90,
		Chunks: append([]imaging.Chunk{imaging.TextChunk("strength", fmt.Sprint(e.Strength))}, file.Colour...)}
}

func (e enlarging) Name(name string, format imaging.Format) string {
	return strings.TrimSuffix(name, filepath.Ext(name)) + "-x2." + strings.ToLower(string(format))
}

func (e enlarging) Enlarge(ctx context.Context, file *imaging.File, progress func(float64, string), refined func(srdiff.Refined)) imaging.Strips {
	return func(yield func(imaging.Picture, error) bool) {
		size := file.Image.Bounds().Size().Mul(2)
		whole := imaging.Bicubic(imaging.Visible(file.Image), size.X, size.Y)
		for y := range size.Y {
			if e.hold != nil {
				select {
				case <-e.hold:
				case <-ctx.Done():
				}
			}
			if ctx.Err() != nil {
				yield(imaging.Picture{}, ctx.Err())
				return
			}
			strip := imaging.Picture{Width: size.X, Height: 1, Pix: whole.Pix[3*y*size.X : 3*(y+1)*size.X]}
			if e.Detail() {
				detail := imaging.New(size.X, 1)
				for i := range detail.Pix {
					detail.Pix[i] = 0.3 * float32(i%2)
				}
				r := srdiff.Refined{Mean: strip, Detail: detail}
				refined(r)
				strip = e.Mix(r)
			}
			progress(float64(y+1)/float64(size.Y), fmt.Sprintf("%d of %d rows", y+1, size.Y))
			if !yield(strip, nil) {
				return
			}
		}
	}
}

func (e enlarging) Resize(file *imaging.File, strips imaging.Strips) imaging.Strips {
	out := e.Output(file, imaging.PNG)
	return imaging.ResizeStrips(strips, file.Image.Bounds().Size().Mul(2), image.Pt(out.Width, out.Height))
}

func (e enlarging) Mix(r srdiff.Refined) imaging.Picture { return r.At(1 - e.Strength) }

// expected is the result that the program itself makes of a picture.
func expected(t *testing.T, s Settings, data []byte) []byte {
	t.Helper()
	file, err := imaging.ReadFrom(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	e := enlarging{&doubling{}, s}
	path := filepath.Join(t.TempDir(), "expected")
	strips := e.Enlarge(t.Context(), file, func(float64, string) {}, func(srdiff.Refined) {})
	if err := e.Output(file, s.Format).Write(path, e.Resize(file, strips)); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// client calls a server as its page does.
type client struct {
	t *testing.T
	*Server
	http *httptest.Server
}

func start(t *testing.T, p Program) *client {
	t.Helper()
	c := &client{t: t}
	c.http = httptest.NewUnstartedServer(nil)
	s, err := New(p, c.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Server = s
	c.http.Config.Handler = s
	c.http.Start()
	t.Cleanup(func() {
		c.http.Close()
		s.Close()
	})
	return c
}

// do sends a request and returns the answer with its body.
func (c *client) do(method, address string, body []byte, header http.Header) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequest(method, address, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	plain := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := plain.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer, string(text)
}

func (c *client) get(path string) (*http.Response, string) {
	c.t.Helper()
	return c.do(http.MethodGet, c.Address()+path, nil, nil)
}

// upload posts a picture, which must be taken, and returns its job's ID.
func (c *client) upload(query string, data []byte) string {
	c.t.Helper()
	answer, text := c.do(http.MethodPost, c.Address()+"jobs?"+query, data, http.Header{"Origin": {c.guard.origin}})
	var made struct{ ID string }
	if answer.StatusCode != http.StatusCreated || json.Unmarshal([]byte(text), &made) != nil || made.ID == "" {
		c.t.Fatalf("%s: %s", answer.Status, text)
	}
	return made.ID
}

// jobsNow returns the jobs of the state.
func (c *client) jobsNow() []job {
	c.t.Helper()
	_, text := c.get("state")
	var now struct{ Jobs []job }
	if err := json.Unmarshal([]byte(text), &now); err != nil {
		c.t.Fatal(err)
	}
	return now.Jobs
}

// until waits until a job fulfils a condition.
func (c *client) until(id string, is func(*job) bool) *job {
	c.t.Helper()
	var jobs []job
	for range 1000 {
		jobs = c.jobsNow()
		for i := range jobs {
			if jobs[i].ID == id && is(&jobs[i]) {
				return &jobs[i]
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatalf("job %s does not come to it: %+v", id, jobs)
	return nil
}

func (c *client) ended(id string) *job {
	c.t.Helper()
	return c.until(id, func(j *job) bool { return j.State == done || j.State == failed })
}

func scene(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		img.SetNRGBA(i%width, i/width, color.NRGBA{uint8(i * 7), uint8(i * 3), uint8(200 - i), 255})
	}
	return img
}

func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A picture goes in, and the bytes that the program itself makes come out, in every format and
// size, and for every strength without another sampling.
func TestResult(t *testing.T) {
	c := start(t, &doubling{})
	glass := scene(9, 7)
	glass.SetNRGBA(3, 3, color.NRGBA{1, 2, 3, 90})
	grey := image.NewGray16(image.Rect(0, 0, 300, 5))
	for name, img := range map[string]image.Image{"small": scene(20, 10), "wide": scene(700, 3), "glass": glass, "grey": grey} {
		data := encoded(t, img)
		for _, query := range []string{"model=plain", "model=plain&scale=1.5&format=jpeg", "model=plain&format=tiff",
			"model=detail", "model=detail&scale=3&format=png"} {
			id := c.upload("name="+name+".png&"+query, data)
			if j := c.ended(id); j.State != done || j.Rows != j.Height {
				t.Fatalf("%s, %s: %+v", name, query, j)
			}
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			settings, err := settingsOf(values)
			if err != nil {
				t.Fatal(err)
			}
			strengths := []float64{1}
			if settings.Model == "detail" {
				strengths = []float64{1, 0.25, 0, 1}
			}
			for _, settings.Strength = range strengths {
				answer, got := c.get(fmt.Sprintf("jobs/%s/result?strength=%g", id, settings.Strength))
				if want := expected(t, settings, data); got != string(want) {
					t.Errorf("%s, %s, strength %g: %s, and not the program's bytes", name, query, settings.Strength, answer.Status)
				}
				ending := strings.ToLower(string(settings.Format))
				if want := "attachment; filename=" + name + "-x2." + ending; answer.Header.Get("Content-Disposition") != want ||
					answer.Header.Get("Content-Type") != "image/"+ending {
					t.Errorf("%v: want %s", answer.Header, want)
				}
			}
			c.do(http.MethodDelete, c.Address()+"jobs/"+id, nil, nil)
		}
	}
	if left, err := os.ReadDir(c.folder); err != nil || len(left) > 0 {
		t.Errorf("%d folders are left of removed pictures: %v", len(left), err)
	}
}

// The tiles of the layers are the input and the result, and smaller versions of them.
func TestTiles(t *testing.T) {
	c := start(t, &doubling{})
	img := scene(300, 200)
	data := encoded(t, img)
	id := c.upload("name=a.png&model=detail", data)
	j := c.ended(id)
	if j.InWidth != 300 || j.Width != 600 || j.Height != 400 || !j.Detail || j.Result != "a-x2.png" || j.Share != 1 {
		t.Fatalf("%+v", j)
	}
	tile := func(layer string, level, x, y int) image.Image {
		answer, text := c.get(fmt.Sprintf("jobs/%s/tile?layer=%s&level=%d&x=%d&y=%d", id, layer, level, x, y))
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "image/png" {
			t.Fatalf("%s: %s", answer.Status, text)
		}
		img, err := png.Decode(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	same := func(tile, whole image.Image, left, top int) {
		t.Helper()
		for y := range tile.Bounds().Dy() {
			for x := range tile.Bounds().Dx() {
				if a, b := color.NRGBAModel.Convert(tile.At(x, y)), color.NRGBAModel.Convert(whole.At(left+x, top+y)); a != b {
					t.Fatalf("pixel %d, %d is %v: want %v", left+x, top+y, a, b)
				}
			}
		}
	}
	same(tile("before", 0, 0, 0), img, 0, 0)
	same(tile("before", 0, 1, 0), img, 256, 0)
	for layer, strength := range map[string]float64{"result": 1, "mean": 0} {
		whole, err := png.Decode(bytes.NewReader(expected(t, Settings{Model: "detail", Format: imaging.PNG, Strength: strength}, data)))
		if err != nil {
			t.Fatal(err)
		}
		same(tile(layer, 0, 2, 1), whole, 512, 256)
		if size := tile(layer, 2, 0, 0).Bounds().Size(); size != image.Pt(150, 100) {
			t.Errorf("the smallest level is %v", size)
		}
	}
	for _, query := range []string{"", "layer=before", "layer=after&level=0&x=0&y=0", "layer=before&level=0&x=2&y=0", "layer=before&level=0&x=0&y=-1",
		"layer=before&level=9&x=0&y=0", "layer=before&level=-1&x=0&y=0", "layer=before&level=0&x=99999999999999999999&y=0"} {
		if answer, _ := c.get("jobs/" + id + "/tile?" + query); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", query, answer.Status)
		}
	}
}

// A smaller level is the mean of each four pixels, weighted by opacity, also at odd ends.
func TestHalved(t *testing.T) {
	upper := []byte{10, 20, 30, 255, 30, 40, 50, 255, 7, 7, 7, 0}
	lower := []byte{10, 20, 30, 255, 30, 40, 50, 255, 90, 90, 90, 100}
	if got, want := halved(upper, lower), []byte{20, 30, 40, 255, 90, 90, 90, 50}; !bytes.Equal(got, want) {
		t.Errorf("%v: want %v", got, want)
	}
}

// One job runs at a time, its rows and its progress are seen meanwhile, and a job that is cancelled
// lets the next one begin and leaves no file.
func TestQueue(t *testing.T) {
	p := &doubling{hold: make(chan struct{})}
	c := start(t, p)
	first := c.upload("name=1.png&model=plain", encoded(t, scene(8, 8)))
	second := c.upload("name=2.png&model=plain", encoded(t, scene(8, 8)))
	third := c.upload("name=3.png&model=plain", encoded(t, scene(8, 8)))
	for range 5 {
		p.hold <- struct{}{}
	}
	j := c.until(first, func(j *job) bool { return j.Rows >= 4 })
	if j.State != running || j.Share == 0 || !strings.HasSuffix(j.Progress, "of 16 rows") || j.Height != 16 {
		t.Errorf("%+v", j)
	}
	if j := c.until(second, func(*job) bool { return true }); j.State != waiting {
		t.Errorf("the second job is %s", j.State)
	}
	if answer, text := c.get("jobs/" + first + "/result"); answer.StatusCode != http.StatusConflict || !strings.Contains(text, "not enlarged yet") {
		t.Errorf("%s: %s", answer.Status, text)
	}
	for _, id := range []string{third, first} { // one that waits, and the one that runs
		if answer, _ := c.do(http.MethodDelete, c.Address()+"jobs/"+id, nil, nil); answer.StatusCode != http.StatusNoContent {
			t.Errorf("%s", answer.Status)
		}
	}
	close(p.hold)
	if j := c.ended(second); j.State != done {
		t.Errorf("%+v", j)
	}
	if jobs := c.jobsNow(); len(jobs) != 1 {
		t.Errorf("%d jobs: want 1", len(jobs))
	}
	if left, err := os.ReadDir(c.folder); err != nil || len(left) != 1 {
		t.Errorf("%d folders: want 1, %v", len(left), err)
	}
	if answer, _ := c.get("jobs/" + first + "/result"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("%s", answer.Status)
	}
}

// The space of a job's files is checked before the work, and is about what they take.
func TestSpace(t *testing.T) {
	asked, p := int64(0), &doubling{}
	p.space = func(bytes int64) error {
		asked = bytes
		return nil
	}
	c := start(t, p)
	picture := scene(300, 200)
	for _, query := range []string{"name=a.png&model=plain", "name=a.png&model=detail", "name=a.png&model=detail&scale=3"} {
		id := c.upload(query, encoded(t, picture))
		c.ended(id)
		taken := int64(0)
		files, err := os.ReadDir(filepath.Join(c.folder, id))
		for _, f := range files {
			if info, statErr := f.Info(); statErr == nil && f.Name() != "upload" {
				taken += info.Size()
			}
		}
		if err != nil || taken > asked || taken < asked/2 {
			t.Errorf("%s: %d bytes were asked for, and %d are taken; %v", query, asked, taken, err)
		}
	}
	p.space = func(int64) error { return errors.New("the disk is too small") }
	id := c.upload("name=cat.png&model=plain", encoded(t, picture))
	if j := c.ended(id); j.State != failed || j.Error != "cat.png: the disk is too small" {
		t.Errorf("%+v", j)
	}
	if files, err := os.ReadDir(filepath.Join(c.folder, id)); err != nil || len(files) != 1 {
		t.Errorf("%v, %v: want the upload alone", files, err)
	}
}

// What is wrong with a picture is the job's error, in one line that begins with its name.
func TestBadPictures(t *testing.T) {
	c := start(t, &doubling{})
	whole := encoded(t, scene(40, 40))
	huge := slices.Clone(whole)
	copy(huge[16:24], []byte{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60})
	for want, data := range map[string][]byte{
		"empty: not a picture":       {},
		"not a picture that can be":  []byte("hello"),
		"damaged, cut short":         whole[:len(whole)/2],
		"a width of 13 is unlucky":   encoded(t, scene(13, 1)),
		"picture is damaged, cut sh": huge, // its checksum is wrong
	} {
		j := c.ended(c.upload("name=cat.png&model=plain", data))
		if j.State != failed || !strings.HasPrefix(j.Error, "cat.png: ") || !strings.Contains(j.Error, want) || strings.Contains(j.Error, "\n") {
			t.Errorf("%s: %q", j.State, j.Error)
		}
	}
}

// Every request that does not come from the page is refused.
func TestRefusals(t *testing.T) {
	c := start(t, &doubling{})
	id := c.upload("name=a.png&model=plain", encoded(t, scene(4, 4)))
	c.ended(id)
	origin := c.guard.origin
	port := origin[strings.LastIndex(origin, ":"):]
	wrong := strings.Repeat("A", len(c.guard.token))
	for _, path := range []string{"", "state", "page/page.js", "jobs/" + id + "/result", "jobs/" + id + "/tile?layer=before&level=0&x=0&y=0"} {
		for _, test := range []struct {
			address, name, value string
			status               int
		}{
			{c.Address() + path, "", "", http.StatusOK},
			{c.Address() + path, "Origin", origin, http.StatusOK},
			{c.Address() + path, "Origin", "http://example.com", http.StatusForbidden},
			{c.Address() + path, "Origin", "http://127.0.0.1:1", http.StatusForbidden},
			{c.Address() + path, "Origin", "null", http.StatusForbidden},
			{c.Address() + path, "Host", "example.com" + port, http.StatusForbidden},
			{c.Address() + path, "Host", "localhost" + port, http.StatusForbidden},
			{c.Address() + path, "Host", "127.0.0.1", http.StatusForbidden},
			{origin + "/" + path, "", "", http.StatusForbidden},
			{origin + "//" + path, "", "", http.StatusForbidden},
			{origin + "/" + wrong + "/" + path, "", "", http.StatusForbidden},
			{origin + "/x/../" + wrong + "/" + path, "", "", http.StatusForbidden},
			{origin + "/open/" + wrong, "", "", http.StatusForbidden},
		} {
			header := http.Header{}
			if test.name != "" {
				header.Set(test.name, test.value)
			}
			answer, text := c.do(http.MethodGet, test.address, nil, header)
			if answer.StatusCode != test.status {
				t.Errorf("%s, %s %q: %s, want %d", test.address, test.name, test.value, answer.Status, test.status)
			}
			if test.status != http.StatusOK && (strings.Count(text, "\n") != 1 || strings.Contains(text, c.guard.token)) {
				t.Errorf("%s: %q", test.address, text)
			}
			for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store",
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin"} {
				if got := answer.Header.Get(name); !strings.HasPrefix(got, want) {
					t.Errorf("%s: %s is %q", test.address, name, got)
				}
			}
		}
	}
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"POST", "", 405}, {"POST", "state", 405}, {"PUT", "jobs", 405}, {"GET", "jobs", 405}, {"DELETE", "jobs", 405}, {"POST", "jobs/" + id, 405},
		{"GET", "jobs/" + id, 405}, {"POST", "jobs/" + id + "/result", 405}, {"DELETE", "jobs/99", 404}, {"GET", "jobs/99/result", 404},
		{"GET", "jobs/99/tile", 404}, {"GET", "other", 404}, {"GET", "page/../serve.go", 307}, {"OPTIONS", "jobs", 405},
		{"POST", "jobs?model=other", 400}, {"POST", "jobs", 400}, {"POST", "jobs?model=plain&format=exe", 400}, {"POST", "jobs?model=plain&scale=0", 400},
		{"POST", "jobs?model=plain&scale=x", 400}, {"POST", "jobs?model=plain&strength=2", 400}, {"POST", "jobs?model=plain&strength=NaN", 400},
		{"GET", "jobs/" + id + "/result?strength=-1", 400},
	} {
		answer, text := c.do(test.method, c.Address()+test.path, nil, nil)
		if answer.StatusCode != test.status {
			t.Errorf("%s %s: %s, want %d", test.method, test.path, answer.Status, test.status)
		}
		if strings.Count(text, "\n") > 1 && test.status != 307 {
			t.Errorf("%s %s: %q", test.method, test.path, text)
		}
	}
	if jobs := c.jobsNow(); len(jobs) != 1 {
		t.Errorf("%d jobs: want 1", len(jobs))
	}
}

// The ticket leads to the page once.
func TestTicket(t *testing.T) {
	c := start(t, &doubling{})
	answer, _ := c.do(http.MethodGet, c.Ticket(), nil, nil)
	if at, err := answer.Location(); err != nil || answer.StatusCode != http.StatusSeeOther || at.String() != c.Address() {
		t.Errorf("%s to %v, %v", answer.Status, at, err)
	}
	if answer, _ := c.do(http.MethodGet, c.Ticket(), nil, nil); answer.StatusCode != http.StatusForbidden {
		t.Errorf("the second time: %s", answer.Status)
	}
}

// An upload of more bytes than are read is refused, with its length named and without, and leaves
// nothing.
func TestTooLarge(t *testing.T) {
	defer func(most int64) { maxUpload = most }(maxUpload)
	maxUpload = 1 << 20
	c := start(t, &doubling{})
	for _, length := range []int64{maxUpload + 1, -1} {
		endless := io.LimitReader(zeros{}, 1<<30)
		r := httptest.NewRequest(http.MethodPost, c.Address()+"jobs?model=plain&name=a.png", endless)
		r.Host, r.ContentLength = c.guard.host, length
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge || !strings.HasPrefix(w.Body.String(), "a.png is too large") {
			t.Errorf("%d: %s", w.Code, w.Body)
		}
	}
	if left, err := os.ReadDir(c.folder); err != nil || len(left) > 0 {
		t.Errorf("%d folders are left: %v", len(left), err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// The page holds so many pictures and no more.
func TestTooMany(t *testing.T) {
	c := start(t, &doubling{hold: make(chan struct{})})
	data := encoded(t, scene(1, 1))
	for range maxJobs {
		c.upload("name=a.png&model=plain", data)
	}
	answer, text := c.do(http.MethodPost, c.Address()+"jobs?name=a.png&model=plain", data, nil)
	if answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text, "remove some") {
		t.Errorf("%s: %s", answer.Status, text)
	}
}

// A name is never a path, and can be a file's.
func TestPlainName(t *testing.T) {
	for name, want := range map[string]string{
		"cat.png": "cat.png", "": "picture", ".": "picture", "..": "picture", "/": "picture", "../../etc/passwd": "passwd", `C:\a\b.png`: "b.png",
		"a\x00b\n.png": "a_b_.png", ".hidden.png": "hidden.png", "Katze ä.png": "Katze ä.png", "a\u202egnp.exe": "a_gnp.exe", `a"b.png`: "a_b.png",
		strings.Repeat("ä", 200) + ".png": strings.Repeat("ä", 98) + ".png", "\xff.png": "_.png",
	} {
		if got := plainName(name); got != want {
			t.Errorf("%q becomes %q: want %q", name, got, want)
		}
	}
}

// When the context ends, so do a job that runs and the server, and all files are removed.
func TestRunEnds(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	listener := httptest.NewUnstartedServer(nil).Listener
	ready, ended := make(chan *Server), make(chan error)
	go func() {
		ended <- Run(ctx, listener, &doubling{hold: make(chan struct{})}, func(s *Server) { ready <- s })
	}()
	s := <-ready
	c := &client{t: t, Server: s}
	c.until(c.upload("name=a.png&model=detail", encoded(t, scene(9, 9))), func(j *job) bool { return j.State == running })
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server does not end")
	}
	if _, err := os.Stat(s.folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder %s is left: %v", s.folder, err)
	}
	if _, err := http.Get(s.Address()); err == nil {
		t.Error("the server still answers")
	}
}

// FuzzUpload sends any bytes under any name and query. The answer is a job that ends, or one line
// of refusal; nothing is written outside of the job's folder.
func FuzzUpload(f *testing.F) {
	f.Add("cat.png", "model=plain", encoded(f, scene(5, 3)))
	f.Add("cat.png", "model=detail&scale=3&format=tiff&strength=0.5", encoded(f, scene(3, 5)))
	f.Add("../../etc/passwd", "model=plain&format=jpeg", []byte("\xff\xd8\xff"))
	f.Add("\x00", "model=%zz;", []byte{})
	s, err := New(&doubling{}, "127.0.0.1:1")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, name, query string, data []byte) {
		if _, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil {
			if width, height, err := imaging.DecodeSize(bytes.NewReader(data)); err == nil && width*height > 1<<16 {
				t.Skip("a large picture takes long")
			}
		}
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(data))
		r.Host = "127.0.0.1:1"
		r.URL.Path = "/" + s.guard.token + "/jobs"
		r.URL.RawQuery = query + "&name=" + url.QueryEscape(name)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			if w.Code != http.StatusBadRequest || strings.Count(w.Body.String(), "\n") != 1 {
				t.Fatalf("%d: %q", w.Code, w.Body)
			}
			return
		}
		var made struct{ ID string }
		if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil {
			t.Fatal(err)
		}
		j := s.find(made.ID)
		for state := j.stateNow(s); state != done && state != failed; state = j.stateNow(s) {
			time.Sleep(100 * time.Microsecond)
		}
		s.remove(j)
		if strings.ContainsAny(j.Name+j.Error, "\n\x00") || strings.ContainsAny(j.Result, `/\`) {
			t.Errorf("%q, %q: %q", j.Name, j.Result, j.Error)
		}
		if left, err := os.ReadDir(s.folder); err != nil || len(left) > 0 {
			t.Errorf("%d folders are left: %v", len(left), err)
		}
	})
}

func (j *job) stateNow(s *Server) state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return j.State
}
