// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// encoded returns img in a format; encoders of memory to memory do not fail.
func encoded(encode func(io.Writer, image.Image) error, img image.Image) []byte {
	var b bytes.Buffer
	if err := encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func asJPEG(w io.Writer, img image.Image) error {
	return jpeg.Encode(w, img, &jpeg.Options{Quality: 100})
}
func asGIF(w io.Writer, img image.Image) error  { return gif.Encode(w, img, nil) }
func asTIFF(w io.Writer, img image.Image) error { return tiff.Encode(w, img, nil) }

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDecodeReadsEveryFormat(t *testing.T) {
	rect := image.Rect(0, 0, 8, 8)
	teal := filled(image.NewNRGBA(rect), color.NRGBA{0, 128, 128, 255})
	deep := filled(image.NewNRGBA64(rect), color.NRGBA64{0x1234, 0x5678, 0x9abc, 0xffff})
	for _, test := range []struct {
		name string
		data []byte
		want color.NRGBA64 // Every pixel's.
		near float64       // In levels of 255; lossy formats differ.
	}{
		{"png", encoded(png.Encode, teal), color.NRGBA64{0, 0x8080, 0x8080, 0}, 0},
		{"png 16-bit", encoded(png.Encode, deep), color.NRGBA64{0x1234, 0x5678, 0x9abc, 0}, 0},
		{"png grey 16-bit", encoded(png.Encode, filled(image.NewGray16(rect), color.Gray16{0x1234})),
			color.NRGBA64{0x1234, 0x1234, 0x1234, 0}, 0},
		{"png transparent", encoded(png.Encode, filled(image.NewNRGBA(rect), color.NRGBA{200, 100, 50, 0})),
			color.NRGBA64{200 * 257, 100 * 257, 50 * 257, 0}, 0},
		{"png 1x1", encoded(png.Encode, filled(image.NewNRGBA(image.Rect(0, 0, 1, 1)), color.NRGBA{9, 8, 7, 255})),
			color.NRGBA64{9 * 257, 8 * 257, 7 * 257, 0}, 0},
		{"jpeg", encoded(asJPEG, teal), color.NRGBA64{0, 0x8080, 0x8080, 0}, 2},
		{"jpeg grey", encoded(asJPEG, filled(image.NewGray(rect), color.Gray{77})),
			color.NRGBA64{77 * 257, 77 * 257, 77 * 257, 0}, 1},
		{"jpeg CMYK", testFile(t, "cmyk_red.jpg"), color.NRGBA64{0xffff, 0, 0, 0}, 2},
		{"gif", encoded(asGIF, filled(image.NewPaletted(rect, color.Palette{color.Black, color.NRGBA{3, 2, 1, 255}}),
			color.NRGBA{3, 2, 1, 255})), color.NRGBA64{3 * 257, 2 * 257, 257, 0}, 0},
		{"bmp", encoded(bmp.Encode, teal), color.NRGBA64{0, 0x8080, 0x8080, 0}, 0},
		{"tiff", encoded(asTIFF, teal), color.NRGBA64{0, 0x8080, 0x8080, 0}, 0},
		{"tiff 16-bit", encoded(asTIFF, deep), color.NRGBA64{0x1234, 0x5678, 0x9abc, 0}, 0},
		{"webp lossy with alpha", testFile(t, "lossy_alpha.webp"), color.NRGBA64{0xffff, 0, 0, 0}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			img, err := Decode(bytes.NewReader(test.data))
			if err != nil {
				t.Fatal(err)
			}
			p := FromImage(img)
			for i, got := range p.Pix {
				want := float64([]uint16{test.want.R, test.want.G, test.want.B}[i%3])/65535*2 - 1
				if !(math.Abs(float64(got)-want) <= test.near*2/255+1e-6) {
					t.Fatalf("value %d is %v, want %v", i, got, want)
				}
			}
		})
	}
}

func TestDecodeLosslessWebP(t *testing.T) {
	img, err := Decode(bytes.NewReader(testFile(t, "lossless.webp")))
	if err != nil {
		t.Fatal(err)
	}
	got := FromImage(img).Image()
	if got.Rect != image.Rect(0, 0, 4, 2) {
		t.Fatalf("bounds %v", got.Rect)
	}
	if c := got.NRGBAAt(0, 0); c != (color.NRGBA{10, 20, 30, 255}) {
		t.Errorf("first pixel %v", c)
	}
	if c := got.NRGBAAt(3, 1); c != (color.NRGBA{200, 100, 50, 255}) { // It is transparent in the file.
		t.Errorf("last pixel %v", c)
	}
}

func TestDecodeLossyWebPKeepsItsRange(t *testing.T) {
	img, err := Decode(bytes.NewReader(testFile(t, "lossy.webp")))
	if err != nil {
		t.Fatal(err)
	}
	// The picture is four bars: black, white, green and grey.
	for bar, want := range []color.NRGBA{{0, 0, 0, 255}, {255, 255, 255, 255}, {0, 255, 0, 255}, {99, 99, 99, 255}} {
		got := img.At(16*bar+8, 8).(color.NRGBA)
		for i, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
			if d < -3 || d > 3 {
				t.Errorf("bar %d, channel %d: %v, want %v", bar, i, got, want)
			}
		}
	}
}

func TestDecodeTurnsPhotographsUpright(t *testing.T) {
	img, err := Open("testdata/on_its_side.jpg")
	if err != nil {
		t.Fatal(err)
	}
	p := FromImage(img)
	if p.Width != 8 || p.Height != 16 {
		t.Fatalf("got %dx%d, want 8x16", p.Width, p.Height)
	}
	for _, test := range []struct {
		name      string
		y         int
		red, blue float32
	}{{"top", 2, 1, -1}, {"bottom", 13, -1, 1}} {
		i := (test.y*p.Width + 4) * 3
		if !(math.Abs(float64(p.Pix[i]-test.red)) <= .05) || !(math.Abs(float64(p.Pix[i+2]-test.blue)) <= .05) {
			t.Errorf("the %s is %v", test.name, p.Pix[i:i+3])
		}
	}
}

// pngClaiming is a PNG file's head with a size of its own and no pixels.
func pngClaiming(width, height uint32) []byte {
	chunk := append([]byte("IHDR"), make([]byte, 13)...)
	binary.BigEndian.PutUint32(chunk[4:], width)
	binary.BigEndian.PutUint32(chunk[8:], height)
	chunk[12], chunk[13] = 8, 2 // 8-bit RGB
	data := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(chunk))
}

// gifClaiming is a GIF file's head with a size of its own, which GIF lets be 0.
func gifClaiming(width, height uint16) []byte {
	data := binary.LittleEndian.AppendUint16([]byte("GIF89a"), width)
	return append(binary.LittleEndian.AppendUint16(data, height), 0, 0, 0)
}

func TestOpenErrors(t *testing.T) {
	folder := t.TempDir()
	// A screen of 3x3 whose first frame is 0x1: no colour table, an empty block of pixels, the end.
	emptyFrame := append(gifClaiming(3, 3), "\x2c\x00\x00\x00\x00\x00\x00\x01\x00\x80abcdef\x02\x01\x2c\x00\x3b"...)
	whole := encoded(png.Encode, pattern(32, 32).Image())
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"truncated.png", whole[:len(whole)/2],
			"cut short or of an unusual kind: PNG without its end"},
		{"head_only.png", whole[:20], "cut short or of an unusual kind: unexpected EOF"},
		{"truncated.jpg", encoded(asJPEG, pattern(32, 32).Image())[:800], "picture is damaged, cut short"},
		{"truncated.tiff", encoded(asTIFF, pattern(32, 32).Image())[:800], "picture is damaged, cut short"},
		{"damaged.png", append(whole[:60:60], make([]byte, 900)...), "picture is damaged, cut short"},
		{"text.png", []byte("This is a text.\n"), ErrFormat.Error()},
		{"empty.png", nil, "empty: " + ErrFormat.Error()},
		{"huge.png", pngClaiming(60000, 60000), "picture of 60000x60000 is too large: at most 67108864 pixels"},
		{"huger.png", pngClaiming(math.MaxInt32, math.MaxInt32), "picture of 2147483647x2147483647 is too large"},
		{"long.png", pngClaiming(MaxPixels+1, 1), "too large"},
		{"zero.gif", gifClaiming(0, 7), "picture of 0x7 has no pixels"},
		{"empty_frame.gif", emptyFrame, "picture of 0x1 has no pixels"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(folder, test.name)
			if err := os.WriteFile(path, test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if err == nil {
				t.Fatal("no error")
			}
			oneLine(t, err, path)
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q lacks %q", err, test.want)
			}
		})
	}
	t.Run("folder", func(t *testing.T) {
		if _, err := Open(folder); err == nil || err.Error() != folder+" is a folder, not a picture" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(folder, "none.png")
		_, err := Open(path)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("error %v", err)
		}
		oneLine(t, err, path)
	})
}

func TestErrorsAreTyped(t *testing.T) {
	if _, err := Decode(strings.NewReader("no picture")); !errors.Is(err, ErrFormat) {
		t.Errorf("text: %v", err)
	}
	if _, err := Decode(strings.NewReader("")); !errors.Is(err, ErrFormat) {
		t.Errorf("nothing: %v", err)
	}
	_, err := Decode(bytes.NewReader(pngClaiming(60000, 50000)))
	if e, ok := errors.AsType[*SizeError](err); !ok || *e != (SizeError{60000, 50000}) {
		t.Errorf("huge: %v", err)
	}
}

func TestCheckSize(t *testing.T) {
	for _, test := range []struct {
		width, height int
		ok            bool
	}{
		{1, 1, true}, {8192, 8192, true}, {MaxPixels, 1, true}, {1, MaxPixels, true},
		{8193, 8192, false}, {MaxPixels + 1, 1, false}, {0, 5, false}, {5, 0, false}, {-1, -1, false},
		{math.MaxInt, math.MaxInt, false}, {1 << 32, 1 << 32, false},
	} {
		if err := checkSize(test.width, test.height); (err == nil) != test.ok {
			t.Errorf("%dx%d: %v", test.width, test.height, err)
		}
	}
}

// panicking is a reader that fails as a faulty decoder would.
type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("index out of range") }

func TestDecodeSurvivesPanic(t *testing.T) {
	img, err := Decode(panicking{})
	if img != nil || err == nil || err.Error() != "picture cannot be decoded: index out of range" {
		t.Errorf("got %v, %v", img, err)
	}
}

// FuzzDecode checks that what decodes survives the way through a Picture and a PNG file.
func FuzzDecode(f *testing.F) {
	small := pattern(5, 3).Image()
	for _, encode := range []func(io.Writer, image.Image) error{png.Encode, asJPEG, asGIF, bmp.Encode, asTIFF} {
		f.Add(encoded(encode, small))
	}
	for _, kind := range []struct{ bits, kind int }{{16, 0}, {16, 3}, {24, 0}, {32, 6}, {8, 1}, {4, 2}} {
		f.Add(bmpWith(108, 13, kind.bits, kind.kind, map[int]uint32{54: 0xf800, 58: 0x7e0, 62: 0x1f}, make([]byte, 64), make([]byte, 80*13)))
	}
	for _, pattern := range []string{"testdata/*.*", "testdata/pictures/*", "testdata/kinds/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			f.Add(testFile(f, strings.TrimPrefix(name, "testdata")))
		}
	}
	f.Add(pngClaiming(60000, 60000))
	f.Fuzz(func(t *testing.T, data []byte) {
		width, height, sizeErr := DecodeSize(bytes.NewReader(data))
		if sizeErr == nil && width*height > 1<<16 {
			return // It is allowed but takes long.
		}
		file, err := decode(bytes.NewReader(data))
		if err == nil && (sizeErr != nil || file.Image.Bounds() != image.Rect(0, 0, width, height)) {
			t.Fatalf("the size is %dx%d, %v, and the picture's %v", width, height, sizeErr, file.Image.Bounds())
		}
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		img := file.Image
		if _, ok := img.(interface {
			SubImage(image.Rectangle) image.Image
		}); !ok {
			t.Fatalf("a picture of type %T", img)
		}
		var out bytes.Buffer // as WritePNG writes it
		if err := png.Encode(&inserter{w: &out, chunks: append(file.Colour, file.Metadata...)}, New(2, 1).Image()); err != nil {
			t.Fatal(err)
		}
		if err := complete(bytes.NewReader(out.Bytes())); err != nil {
			t.Fatal(err)
		}
		if again, err := decode(&out); err != nil || !slices.EqualFunc(again.Metadata, file.Metadata, sameChunk) {
			t.Fatalf("the metadata %v became %v, %v", file.Metadata, again, err)
		}
		for _, remark := range file.Remarks {
			if strings.Contains(remark, "\n") {
				t.Errorf("remark of several lines: %q", remark)
			}
		}
		for _, v := range Visible(img).Pix {
			if !(-1 <= v && v <= 1) {
				t.Fatalf("a value of what can be seen is %v", v)
			}
		}
		once := FromImage(img)
		for i, v := range once.Pix {
			if !(-1 <= v && v <= 1) {
				t.Fatalf("value %d is %v", i, v)
			}
		}
		again, err := Decode(bytes.NewReader(encoded(png.Encode, once.Image())))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(FromImage(again).Image().Pix, once.Image().Pix) {
			t.Error("other pixels came back")
		}
	})
}
