// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// scene is the picture of testdata/kinds.py.
func scene() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 20, 13))
	each(img.Rect, func(x, y int) {
		img.SetNRGBA(x, y, color.NRGBA{uint8(x * 12), uint8(y * 19), uint8(255 - x*6 - y*6), 255})
	})
	return img
}

// changed is the scene with every pixel as f makes it.
func changed(f func(x int, c color.NRGBA) color.Color) image.Image {
	from, out := scene(), image.NewNRGBA64(image.Rect(0, 0, 20, 13))
	each(out.Rect, func(x, y int) { out.Set(x, y, f(x, from.NRGBAAt(x, y))) })
	return out
}

// The pictures of testdata/kinds.py in all the ways that a TIFF file can hold them.
func TestDecodeTIFFKinds(t *testing.T) {
	deep := changed(func(_ int, c color.NRGBA) color.Color {
		return color.NRGBA64{uint16(c.R)*257 + 3, uint16(c.G)*257 + 3, uint16(c.B)*257 + 3, 0xffff}
	})
	grey := changed(func(_ int, c color.NRGBA) color.Color { return color.NRGBA{c.G, c.G, c.G, 255} })
	greyAlpha := changed(func(x int, c color.NRGBA) color.Color { return color.NRGBA{c.G, c.G, c.G, uint8(255 - x*9)} })
	deepGreyAlpha := changed(func(x int, c color.NRGBA) color.Color {
		g := uint16(c.G)*257 + 3
		return color.NRGBA64{g, g, g, uint16(255-x*9) * 257}
	})
	alpha := changed(func(x int, c color.NRGBA) color.Color { return color.NRGBA{c.R, c.G, c.B, uint8(255 - x*9)} })
	half := changed(func(_ int, c color.NRGBA) color.Color { return color.RGBA{c.R / 2, c.G / 2, c.B / 2, 128} })
	for _, test := range []struct {
		names string
		want  image.Image
		near  int // levels of 255
	}{
		{"big big_be big_zstd_tiles cmyk planes planes_packbits zstd zstd_tiles about", scene(), 0},
		{"zstd_deep zstd_deep_be big_deep planes_deep_tiles cmyk_deep", deep, 0},
		{"grey_alpha grey_alpha_lzw big_grey_alpha", greyAlpha, 0},
		{"grey_alpha_deep", deepGreyAlpha, 0},
		{"rgb_alpha", alpha, 0},
		{"premultiplied", half, 0},
		{"white_is_zero", grey, 0},
		{"turned turned_big_zstd", upright(scene(), 6), 0},
		{"jpeg jpeg_tiles", scene(), 20}, // their colours have half the size
		{"jpeg_rgb", scene(), 6},
		{"jpeg_grey", grey, 6},
	} {
		for name := range strings.FieldsSeq(test.names) {
			img, err := Decode(bytes.NewReader(testFile(t, "kinds/"+name+".tif")))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if test.near == 0 {
				samePixels(t, name, img, test.want)
				continue
			}
			got, want := FromImage(img).Image(), FromImage(test.want).Image()
			for i, v := range got.Pix {
				if d := int(v) - int(want.Pix[i]); d < -test.near || d > test.near {
					t.Errorf("%s: byte %d is %d, want %d", name, i, v, want.Pix[i])
					break
				}
			}
		}
	}
	for name, want := range map[string]string{
		"lzma": "LZMA compression", "webp": "WebP compression", "jpeg2000": "JPEG 2000 compression", "float": "floating point",
		"signed": "signed numbers", "32": "32 bits a channel", "float_predictor": "floating point",
	} {
		path := filepath.Join("testdata", "kinds", "refused_"+name+".tif")
		_, err := Open(path)
		_, sizeErr := Size(path)
		for _, err := range []error{err, sizeErr} {
			if err == nil || !strings.Contains(err.Error(), "a TIFF ") || !strings.Contains(err.Error(), want+", which is not read") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// bmpWith makes a BMP file. The header is of so many bytes, and values are put at their places in
// the file.
func bmpWith(header, height, bits, kind int, values map[int]uint32, palette, pixels []byte) []byte {
	b := make([]byte, 14+header)
	copy(b, "BM")
	u32 := binary.LittleEndian.PutUint32
	u32(b[14:], uint32(header))
	if header == 12 {
		binary.LittleEndian.PutUint16(b[18:], 20)
		binary.LittleEndian.PutUint16(b[20:], uint16(height))
		b[22], b[24] = 1, byte(bits)
	} else {
		u32(b[18:], 20)
		u32(b[22:], uint32(int32(height)))
		b[26], b[28] = 1, byte(bits)
	}
	if header >= 40 {
		b[30] = byte(kind)
	}
	for at, v := range values {
		for at+4 > len(b) {
			b = append(b, 0)
		}
		u32(b[at:], v)
	}
	b = append(b, palette...)
	u32(b[10:], uint32(len(b)))
	b = append(b, pixels...)
	u32(b[2:], uint32(len(b)))
	return b
}

// bmpRows stores the scene's pixels from the bottom up, in whole words.
func bmpRows(size int, pixel func(x, y int) uint32) (b []byte) {
	for y := 12; y >= 0; y-- {
		for x := range 20 {
			b = append(b, binary.LittleEndian.AppendUint32(nil, pixel(x, y))[:size]...)
		}
		b = append(b, make([]byte, (4-20*size%4)%4)...)
	}
	return b
}

func TestDecodeBMPKinds(t *testing.T) {
	img := scene()
	at := func(x, y int) (r, g, b uint32) {
		c := img.NRGBAAt(x, y)
		return uint32(c.R), uint32(c.G), uint32(c.B)
	}
	// What so many bits keep of a level, and the level again.
	levels := func(r, g, b int) image.Image {
		q := func(v uint8, bits int) uint8 {
			most := 1<<bits - 1
			return uint8((int(v)>>(8-bits)*255 + most/2) / most)
		}
		return changed(func(_ int, c color.NRGBA) color.Color { return color.NRGBA{q(c.R, r), q(c.G, g), q(c.B, b), 255} })
	}
	alpha := changed(func(x int, c color.NRGBA) color.Color { return color.NRGBA{c.R, c.G, c.B, uint8(255 - x*9)} })
	in555 := bmpRows(2, func(x, y int) uint32 { r, g, b := at(x, y); return r>>3<<10 | g>>3<<5 | b>>3 })
	in565 := bmpRows(2, func(x, y int) uint32 { r, g, b := at(x, y); return r>>3<<11 | g>>2<<5 | b>>3 })
	in24 := bmpRows(3, func(x, y int) uint32 { r, g, b := at(x, y); return r<<16 | g<<8 | b })
	in32 := bmpRows(4, func(x, y int) uint32 { r, g, b := at(x, y); return r<<16 | g<<8 | b })
	inAlpha := bmpRows(4, func(x, y int) uint32 { r, g, b := at(x, y); return r<<16 | g<<8 | b | uint32(255-x*9)<<24 })
	inABGR := bmpRows(4, func(x, y int) uint32 { r, g, b := at(x, y); return b<<16 | g<<8 | r | uint32(255-x*9)<<24 })
	var topDown []byte
	for row := range slices.Chunk(in24, 60) {
		topDown = append(slices.Clone(row), topDown...)
	}
	masks := func(r, g, b uint32) map[int]uint32 { return map[int]uint32{54: r, 58: g, 62: b} }
	with := func(m map[int]uint32, at int, v uint32) map[int]uint32 { m[at] = v; return m }
	// 16 shades as colours of 3 and of 4 bytes, and pixels of 8 and 4 bits with each column's
	// shade.
	var palette3, palette4, in8, in4, runs8, runs4, literal8, literal4 []byte
	for i := range 16 {
		palette3 = append(palette3, byte(i), byte(17*i), byte(255-i))
		palette4 = append(palette4, byte(i), byte(17*i), byte(255-i), 0)
	}
	shades := changed(func(x int, _ color.NRGBA) color.Color {
		i := x % 16
		return color.NRGBA{uint8(255 - i), uint8(17 * i), uint8(i), 255}
	})
	for range 13 {
		literal8, literal4 = append(literal8, 0, 20), append(literal4, 0, 20)
		for x := range 20 {
			in8, runs8, literal8 = append(in8, byte(x%16)), append(runs8, 1, byte(x%16)), append(literal8, byte(x%16))
			if x%2 == 0 {
				pair := byte(x%16<<4 | (x+1)%16)
				in4, runs4, literal4 = append(in4, pair), append(runs4, 2, pair), append(literal4, pair)
			}
		}
		in4 = append(in4, 0, 0)
		runs8, runs4 = append(runs8, 0, 0), append(runs4, 0, 0)
		literal8, literal4 = append(literal8, 0, 0), append(literal4, 0, 0)
	}
	end := func(b []byte) []byte { return append(slices.Clone(b), 0, 1) }
	holes := image.NewNRGBA(image.Rect(0, 0, 20, 13)) // a run of 3, after a step of 2,1 one of 4, on the rows from below
	for i := range 3 {
		holes.SetNRGBA(i, 12, color.NRGBA{255, 0, 0, 255})
	}
	for i := range 4 {
		holes.SetNRGBA(5+i, 11, color.NRGBA{254, 17, 1, 255})
	}
	for _, test := range []struct {
		name string
		data []byte
		want image.Image
	}{
		{"16 bits", bmpWith(40, 13, 16, 0, nil, nil, in555), levels(5, 5, 5)},
		{"16 bits, 565", bmpWith(40, 13, 16, 3, masks(0xf800, 0x7e0, 0x1f), nil, in565), levels(5, 6, 5)},
		{"16 bits, 565, V4", bmpWith(108, 13, 16, 3, masks(0xf800, 0x7e0, 0x1f), nil, in565), levels(5, 6, 5)},
		{"24 bits", bmpWith(40, 13, 24, 0, nil, nil, in24), img},
		{"24 bits, OS/2", bmpWith(12, 13, 24, 0, nil, nil, in24), img},
		{"24 bits, OS/2 short", bmpWith(16, 13, 24, 0, nil, nil, in24), img},
		{"24 bits, OS/2 long", bmpWith(64, 13, 24, 0, nil, nil, in24), img},
		{"24 bits, top down", bmpWith(40, -13, 24, 0, nil, nil, topDown), img},
		{"24 bits, a gap", bmpWith(40, 13, 24, 0, nil, make([]byte, 7), in24), img},
		{"24 bits, bytes behind", bmpWith(40, 13, 24, 0, nil, nil, append(slices.Clone(in24), 1, 2, 3)), img},
		{"32 bits", bmpWith(40, 13, 32, 0, nil, nil, inAlpha), img}, // this header knows no alpha
		{"32 bits, V5", bmpWith(124, 13, 32, 3, with(masks(0xff0000, 0xff00, 0xff), 66, 0xff000000), nil, inAlpha), alpha},
		{"32 bits, other masks", bmpWith(108, 13, 32, 3, with(masks(0xff, 0xff00, 0xff0000), 66, 0xff000000), nil, inABGR), alpha},
		{"32 bits, V3", bmpWith(56, 13, 32, 3, with(masks(0xff, 0xff00, 0xff0000), 66, 0xff000000), nil, inABGR), alpha},
		{"32 bits, four masks", bmpWith(40, 13, 32, 6, with(masks(0xff0000, 0xff00, 0xff), 66, 0xff000000), nil, inAlpha), alpha},
		{"32 bits, an alpha of 0", bmpWith(124, 13, 32, 3, with(masks(0xff0000, 0xff00, 0xff), 66, 0xff000000), nil, in32), img},
		{"8 bits", bmpWith(40, 13, 8, 0, map[int]uint32{46: 16}, palette4, in8), shades},
		{"8 bits, fewer colours than it says", bmpWith(40, 13, 8, 0, nil, palette4, in8), shades},
		{"8 bits, OS/2", bmpWith(12, 13, 8, 0, nil, append(slices.Clone(palette3), make([]byte, 240*3)...), in8), shades},
		{"4 bits", bmpWith(40, 13, 4, 0, nil, palette4, in4), shades},
		{"4 bits, OS/2", bmpWith(12, 13, 4, 0, nil, palette3, in4), shades},
		{"runs of 8 bits", bmpWith(40, 13, 8, 1, map[int]uint32{46: 16}, palette4, end(runs8)), shades},
		{"runs of 4 bits", bmpWith(40, 13, 4, 2, nil, palette4, end(runs4)), shades},
		{"no runs of 8 bits", bmpWith(40, 13, 8, 1, map[int]uint32{46: 16}, palette4, end(literal8)), shades},
		{"no runs of 4 bits", bmpWith(40, 13, 4, 2, nil, palette4, end(literal4)), shades},
		{"runs without an end", bmpWith(40, 13, 8, 1, map[int]uint32{46: 16}, palette4, runs8), shades},
		{"runs, OS/2 long", bmpWith(64, 13, 8, 1, map[int]uint32{46: 16}, palette4, end(runs8)), shades},
		{"runs with holes", bmpWith(40, 13, 4, 2, nil, palette4, []byte{3, 0, 0, 2, 2, 1, 4, 0x11, 0, 1}), holes},
	} {
		got, err := Decode(bytes.NewReader(test.data))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		samePixels(t, test.name, got, test.want)
		if w, h, err := DecodeSize(bytes.NewReader(test.data)); w != 20 || h != 13 || err != nil {
			t.Errorf("%s: %dx%d, %v", test.name, w, h, err)
		}
	}
	for _, test := range []struct{ header, bits, kind int }{{40, 64, 0}, {40, 24, 1}, {40, 0, 4}, {40, 0, 5}, {64, 24, 4}, {64, 1, 3}} {
		_, err := Decode(bytes.NewReader(bmpWith(test.header, 13, test.bits, test.kind, nil, nil, in24)))
		if err == nil || !strings.Contains(err.Error(), "a BMP of ") {
			t.Errorf("%v: %v", test, err)
		}
	}
}

// apart is an animated PNG of 40x28 whose picture for old readers is not a frame: its only frame is
// the scene, at 10,6.
func apart(t *testing.T) []byte {
	frame := chunksOf(t, encoded(png.Encode, scene()))
	still := chunksOf(t, encoded(png.Encode, pattern(40, 28).Image()))
	number := binary.BigEndian.AppendUint32
	control := number(number(number(number(number(nil, 0), 20), 13), 10), 6)
	pixels := append(number(nil, 1), frame[1][8:len(frame[1])-4]...)
	header := slices.Clone(still[0][8:21])
	header[9] = frame[0][17] // of one kind with the frame
	return joined(Chunk{"IHDR", header}.encoded(), Chunk{"acTL", number(number(nil, 1), 0)}.encoded(), still[1],
		Chunk{"fcTL", append(control, 0, 1, 0, 1, 0, 0)}.encoded(), Chunk{"fdAT", pixels}.encoded(), still[2])
}

// asGIFs is a GIF file of frames on a screen.
func asGIFs(screen image.Point, frames ...*image.Paletted) []byte {
	g := &gif.GIF{Image: frames, Delay: make([]int, len(frames)), Config: image.Config{Width: screen.X, Height: screen.Y}}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// The canvas of an animation is the picture, as browsers show its first frame; DecodeSize knows it.
func TestDecodeCanvas(t *testing.T) {
	blot := func(r image.Rectangle) *image.Paletted {
		p := image.NewPaletted(r, color.Palette{color.NRGBA{200, 100, 50, 255}, color.NRGBA{}})
		p.SetColorIndex(r.Min.X, r.Min.Y, 1)
		return p
	}
	on := func(size image.Point, frame image.Image, at image.Point) image.Image {
		out := image.NewNRGBA(image.Rectangle{Max: size})
		each(frame.Bounds(), func(x, y int) { out.Set(at.X+x-frame.Bounds().Min.X, at.Y+y-frame.Bounds().Min.Y, frame.At(x, y)) })
		return out
	}
	small := blot(image.Rect(3, 2, 8, 6))
	// Screens that are too small for their first frame are enlarged.
	narrow := asGIFs(image.Pt(8, 6), small)
	narrow[6], narrow[8] = 4, 0
	for _, test := range []struct {
		name string
		data []byte
		want image.Image
	}{
		{"GIF", asGIFs(image.Pt(12, 9), small), on(image.Pt(12, 9), small, image.Pt(3, 2))},
		{"GIF, whole", asGIFs(image.Pt(5, 4), blot(image.Rect(0, 0, 5, 4))), blot(image.Rect(0, 0, 5, 4))},
		{"GIF of two", asGIFs(image.Pt(12, 9), small, blot(image.Rect(0, 0, 12, 9))), on(image.Pt(12, 9), small, image.Pt(3, 2))},
		{"GIF of a small screen", narrow, on(image.Pt(8, 6), small, image.Pt(3, 2))},
		{"WebP", testFile(t, "kinds/offset.webp"), on(image.Pt(40, 28), scene(), image.Pt(10, 6))},
		{"PNG", apart(t), on(image.Pt(40, 28), scene(), image.Pt(10, 6))},
	} {
		img, err := Decode(bytes.NewReader(test.data))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		samePixels(t, test.name, img, test.want)
		if img.Bounds().Min != (image.Point{}) {
			t.Errorf("%s: %v", test.name, img.Bounds())
		}
		size := test.want.Bounds().Size()
		if w, h, err := DecodeSize(bytes.NewReader(test.data)); w != size.X || h != size.Y || err != nil {
			t.Errorf("%s: %dx%d, %v, want %v", test.name, w, h, err, size)
		}
	}
	// The first frame is the second picture, which old readers do not show.
	img := read(t, testFile(t, "kinds/default_apart.png")).Image
	if got := color.NRGBAModel.Convert(img.At(0, 0)); got != (color.NRGBA{0, 0, 255, 255}) {
		t.Errorf("the first frame begins with %v", got)
	}
}

// What browsers pass over in a GIF file is passed over, and what is missing is missed.
func TestDecodeLenientGIF(t *testing.T) {
	frame := image.NewPaletted(image.Rect(0, 0, 30, 20), color.Palette{color.Black, color.White, color.NRGBA{9, 8, 7, 255}, color.NRGBA{}})
	for i := range frame.Pix {
		frame.Pix[i] = byte(i * i % 4)
	}
	whole := asGIFs(image.Pt(30, 20), frame)
	var start int // of the codes' blocks
	gifPictures(whole, func(at int) bool {
		start = at + 10 + gifColours(whole[at+9]) + 1
		return false
	})
	head, blocks := whole[:start], whole[start:len(whole)-2] // without the empty block and the file's end
	missing := slices.Clone(whole)                           // a colour that is not in the table
	missing[start-1] = 3
	var codes bytes.Buffer
	w := lzw.NewWriter(&codes, lzw.LSB, 3)
	odd := slices.Clone(frame.Pix)
	odd[0] = 7
	w.Write(odd)
	w.Close()
	missing = missing[:start]
	for block := range slices.Chunk(codes.Bytes(), 255) {
		missing = append(append(missing, byte(len(block))), block...)
	}
	for name, data := range map[string][]byte{
		"a block behind the pixels": slices.Concat(head, blocks, []byte("\x05extra\x05extra\x00;")),
		"bytes behind the end":      append(slices.Clone(whole), "more"...),
		"no end":                    whole[:len(whole)-1],
		"a colour that is missing":  append(missing, 0, ';'),
	} {
		img, err := Decode(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		samePixels(t, name, img, frame)
	}
	for n := 1; n < len(blocks)-4; n += 5 {
		if _, err := Decode(bytes.NewReader(slices.Concat(head, blocks[:n]))); err == nil {
			t.Errorf("%d of %d bytes are read", n, len(blocks))
		}
	}
}

// Turned pictures are of the standard library's types, with all that these can do and with the
// precision that they had.
func TestUprightKeepsTheType(t *testing.T) {
	rect := image.Rect(5, 6, 8, 8)
	palette := color.Palette{color.NRGBA{9, 8, 7, 6}, color.White}
	for _, img := range []image.Image{
		image.NewGray(rect), image.NewGray16(rect), image.NewNRGBA(rect), image.NewNRGBA64(rect), image.NewRGBA(rect),
		image.NewRGBA64(rect), image.NewPaletted(rect, palette), image.NewCMYK(rect),
	} {
		i := 0
		each(rect, func(x, y int) {
			c := uint16(i * 0x1234)
			img.(interface{ Set(int, int, color.Color) }).Set(x, y, color.NRGBA64{c, c + 99, c / 2, 0xffff - c})
			i++
		})
		for orientation := 1; orientation <= 8; orientation++ {
			out := upright(img, orientation)
			if reflect.TypeOf(out) != reflect.TypeOf(img) {
				t.Errorf("%T became %T", img, out)
			}
			b := out.Bounds()
			crop := out.(interface {
				SubImage(image.Rectangle) image.Image
			}).SubImage(image.Rectangle{b.Min, b.Min.Add(image.Pt(1, 1))})
			want := map[int]image.Point{1: {0, 0}, 2: {2, 0}, 3: {2, 1}, 4: {0, 1}, 5: {0, 0}, 6: {0, 1}, 7: {2, 1}, 8: {2, 0}}[orientation]
			if got, want := crop.At(b.Min.X, b.Min.Y), img.At(rect.Min.X+want.X, rect.Min.Y+want.Y); got != want {
				t.Errorf("%T, orientation %d: the corner is %v, want %v", img, orientation, got, want)
			}
		}
	}
}

// DecodeSize is the size of what Decode gives, for every file here; of photographs it reads the
// head alone.
func TestDecodeSize(t *testing.T) {
	for _, pattern := range []string{"testdata/*.*", "testdata/pictures/*", "testdata/kinds/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			img, err := Open(name)
			size, sizeErr := Size(name)
			if (err == nil) != (sizeErr == nil) || err == nil && img.Bounds().Size() != size {
				t.Errorf("%s: %v, %v, want %v", name, size, sizeErr, err)
			}
		}
	}
	exif := segment(0xe1, "Exif\x00\x00"+string(tiffWith(true, 0x12, 3, 6)))
	photo := withSegments(pattern(600, 400).Image(), exif, segment(0xe2, strings.Repeat("x", 60_000)), segment(0xe2, strings.Repeat("x", 60_000)))
	r := bytes.NewReader(photo)
	if w, h, err := DecodeSize(r); w != 400 || h != 600 || err != nil || r.Len() < 100_000 {
		t.Errorf("%dx%d, %v, %d of %d bytes are not read", w, h, err, r.Len(), len(photo))
	}
	later := withChunks(pattern(6, 4).Image()) // EXIF may come behind the pixels
	list := chunksOf(t, later)
	later = joined(list[0], list[1], Chunk{"eXIf", tiffWith(true, 0x12, 3, 8)}.encoded(), list[2])
	if w, h, err := DecodeSize(bytes.NewReader(later)); w != 4 || h != 6 || err != nil {
		t.Errorf("%dx%d, %v", w, h, err)
	}
	if _, _, err := DecodeSize(strings.NewReader("text")); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, _, err := DecodeSize(bytes.NewReader(pngClaiming(60000, 60000))); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Error(err)
	}
}

// No format is read where it is cut short, wherever that is; some bytes at the end may not count.
func TestDecodeCutShort(t *testing.T) {
	files := map[string][]byte{
		"jpeg": encoded(asJPEG, pattern(40, 30).Image()), "png": encoded(png.Encode, pattern(40, 30).Image()),
		"gif": encoded(asGIF, pattern(40, 30).Image()), "tiff": encoded(asTIFF, pattern(40, 30).Image()),
		"bmp":         bmpWith(40, 13, 24, 0, nil, nil, make([]byte, 60*13)),
		"bmp runs":    bmpWith(40, 13, 8, 1, nil, make([]byte, 1024), slices.Concat(bytes.Repeat([]byte{20, 7, 0, 0}, 13), []byte{0, 1})),
		"apng":        apart(t),
		"webp":        testFile(t, "lossless.webp"),
		"lossy webp":  testFile(t, "lossy.webp"),
		"glass webp":  testFile(t, "lossy_alpha.webp"),
		"frames webp": testFile(t, "kinds/offset.webp")[:170], // without the second frame
		"progressive": testFile(t, "pictures/progressive.jpg"),
	}
	for _, name := range []string{"jpeg.tif", "zstd.tif", "planes.tif", "big.tif", "big_zstd_tiles.tif", "grey_alpha_lzw.tif", "planes_packbits.tif"} {
		files[name] = testFile(t, "kinds/"+name)
	}
	for name, data := range files {
		if _, err := Decode(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range len(data) * 9 / 10 {
			if n%7 != 0 && n > 200 {
				continue
			}
			img, err := Decode(bytes.NewReader(data[:n]))
			if err == nil {
				t.Errorf("%s: the first %d of %d bytes are read as %v", name, n, len(data), img.Bounds())
				break
			}
			if strings.Contains(err.Error(), "runtime error") {
				t.Errorf("%s: the first %d of %d bytes: %v", name, n, len(data), err)
				break
			}
		}
	}
}

func TestFormatsAreNamed(t *testing.T) {
	for want, head := range map[string]string{
		"HEIC": "\x00\x00\x00\x18ftypheic", "AVIF": "\x00\x00\x00\x18ftypavif", "JPEG XL": "\xff\x0a", "Photoshop": "8BPS", "SVG": "<svg xmlns",
		"JPEG 2000": "\x00\x00\x00\x0cjP  \r\n\x87\n", "PDF": "%PDF-1.4", "ICO": "\x00\x00\x01\x00",
	} {
		_, err := Decode(strings.NewReader(head + strings.Repeat("x", 40)))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, text := range []string{"BMW is a car, and this is a text", "GIF", "RIFF1234WAVEfmt "} {
		if _, err := Decode(strings.NewReader(text)); err == nil || err.Error() != ErrFormat.Error() {
			t.Errorf("%q: %v", text, err)
		}
	}
}
