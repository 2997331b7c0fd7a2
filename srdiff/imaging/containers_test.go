// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parts takes a PNG file apart without the code that it tests, and checks every part's checksum.
func parts(t *testing.T, data []byte) (types []string, bodies [][]byte) {
	t.Helper()
	for at := 8; at < len(data); {
		size := int(binary.BigEndian.Uint32(data[at:]))
		if crc32.ChecksumIEEE(data[at+4:at+8+size]) != binary.BigEndian.Uint32(data[at+8+size:]) {
			t.Fatalf("the checksum of %q is wrong", data[at+4:at+8])
		}
		types, bodies = append(types, string(data[at+4:at+8])), append(bodies, data[at+8:at+8+size])
		at += 12 + size
	}
	return types, bodies
}

// read writes data to a file and reads it as a picture.
func read(t *testing.T, data []byte) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// profileIn returns the ICC profile of the PNG file that a picture becomes, nil if it has none.
func profileIn(t *testing.T, file *File) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.png")
	if err := WritePNG(path, file.Image, file.Colour...); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	types, bodies := parts(t, data)
	i := slices.Index(types, "iCCP")
	if i < 0 {
		return nil
	}
	if i > slices.Index(types, "IDAT") || !bytes.HasPrefix(bodies[i], []byte("ICC profile\x00\x00")) {
		t.Errorf("chunks %q, the profile begins with %.20q", types, bodies[i])
	}
	r, err := zlib.NewReader(bytes.NewReader(bodies[i][13:]))
	if err != nil {
		t.Fatal(err)
	}
	profile, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

// Pillow wrote the same profile and orientation to four kinds of files.
func TestReadProfileAndOrientation(t *testing.T) {
	want := testFile(t, "pictures/srgb.icc")
	for _, name := range []string{"about.png", "about.jpg", "about.webp", "about.tif"} {
		file := read(t, testFile(t, "pictures/"+name))
		if got := profileIn(t, file); !bytes.Equal(got, want) {
			t.Errorf("%s: a profile of %d bytes, want another of %d", name, len(got), len(want))
		}
		if len(file.Remarks) > 0 {
			t.Errorf("%s: %q", name, file.Remarks)
		}
		p := FromImage(file.Image)
		if p.Width != 8 || p.Height != 16 {
			t.Errorf("%s is %dx%d, want 8x16", name, p.Width, p.Height)
			continue
		}
		if top, bottom := p.Pix[:3], p.Pix[len(p.Pix)-3:]; top[0] < .9 || top[2] > -.9 || bottom[0] > -.9 || bottom[2] < .9 {
			t.Errorf("%s: the top is %v, the bottom %v, want red and blue", name, top, bottom)
		}
	}
}

// profile is an ICC profile of a length and for a kind of colours, as far as its header goes.
func profile(size int, space string) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i * i >> 3)
	}
	binary.BigEndian.PutUint32(p, uint32(size))
	copy(p[16:], space)
	copy(p[36:], "acsp")
	return p
}

// withSegments puts segments at the head of a JPEG file.
func withSegments(img image.Image, segments ...[]byte) []byte {
	return append(jpegHead(segments...), encoded(asJPEG, img)[2:]...)
}

// withChunks puts chunks after the header of a PNG file.
func withChunks(img image.Image, chunks ...Chunk) []byte {
	data := encoded(png.Encode, img)
	var b []byte
	for _, c := range chunks {
		b = binary.BigEndian.AppendUint32(b, uint32(len(c.Data)))
		body := append([]byte(c.Type), c.Data...)
		b = binary.BigEndian.AppendUint32(append(b, body...), crc32.ChecksumIEEE(body))
	}
	return slices.Concat(data[:33], b, data[33:])
}

// iccp is a profile as PNG has it, under a name of the writer's choice.
func iccp(profile []byte) Chunk {
	b := bytes.NewBufferString("by a camera\x00\x00")
	w := zlib.NewWriter(b)
	w.Write(profile)
	w.Close()
	return Chunk{"iCCP", b.Bytes()}
}

func TestReadProfiles(t *testing.T) {
	colours, grey := pattern(8, 8).Image(), filled(image.NewGray(image.Rect(0, 0, 8, 8)), color.Gray{9})
	whole := profile(150_000, "RGB ")
	piece := func(number, count byte, part []byte) []byte {
		return segment(0xe2, "ICC_PROFILE\x00"+string([]byte{number, count})+string(part))
	}
	first, second, third := piece(1, 3, whole[:60_000]), piece(2, 3, whole[60_000:120_000]), piece(3, 3, whole[120_000:])
	short := slices.Clone(whole[:500])
	otherwise := profile(500, "RGB ")
	otherwise[36] = 'x'
	ofGrey, ofRGB := profile(300, "GRAY"), profile(300, "RGB ")
	for _, test := range []struct {
		name   string
		data   []byte
		want   []byte // the profile
		remark string
	}{
		{"three segments", withSegments(colours, first, second, third), whole, ""},
		{"in another order", withSegments(colours, third, first, segment(0xe2, "MPF\x00"), second), whole, ""},
		{"a segment missing", withSegments(colours, first, third), nil, "broken"},
		{"a segment twice", withSegments(colours, first, second, second), nil, "broken"},
		{"a segment of number 0", withSegments(colours, piece(0, 1, ofRGB)), nil, "broken"},
		{"none of no segments", withSegments(colours, piece(1, 0, ofRGB)), nil, "broken"},
		{"PNG", withChunks(colours, iccp(ofRGB)), ofRGB, ""},
		{"grey JPEG", withSegments(grey, piece(1, 1, ofGrey)), ofGrey, ""},
		{"grey PNG", withChunks(grey, iccp(ofGrey)), ofGrey, ""},
		{"for grey", withChunks(colours, iccp(ofGrey)), nil, `"GRAY" and not "RGB "`},
		{"for colours", withChunks(grey, iccp(ofRGB)), nil, `"RGB " and not "GRAY"`},
		{"CMYK", testFile(t, "pictures/cmyk.jpg"), nil, `"CMYK" and not "RGB "`},
		{"shorter than it says", withChunks(colours, iccp(short)), nil, "broken"},
		{"no profile", withChunks(colours, iccp(otherwise)), nil, "broken"},
		{"empty", withChunks(colours, iccp(nil)), nil, "broken"},
		{"not compressed", withChunks(colours, Chunk{"iCCP", append([]byte("name\x00\x00"), ofRGB...)}), nil, "broken"},
		{"only a name", withChunks(colours, Chunk{"iCCP", []byte("name\x00")}), nil, "broken"},
		{"too long", withChunks(colours, iccp(profile(maxProfile+1, "RGB "))), nil, "broken"},
		{"as long as may be", withChunks(colours, iccp(profile(maxProfile, "RGB "))), profile(maxProfile, "RGB "), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := read(t, test.data)
			if got := profileIn(t, file); !bytes.Equal(got, test.want) {
				t.Errorf("a profile of %d bytes, want one of %d", len(got), len(test.want))
			}
			if remarks := strings.Join(file.Remarks, "; "); !strings.Contains(remarks, test.remark) || (remarks == "") != (test.remark == "") {
				t.Errorf("remarks %q, want %q", remarks, test.remark)
			}
		})
	}
}

// Each kind of colour chunk is written once, and what contradicts one of a higher rank is left out
// (PNG 3rd ed., 4.3).
func TestReadColourChunks(t *testing.T) {
	colours := pattern(4, 4).Image()
	numbers := func(n ...uint32) (b []byte) {
		for _, v := range n {
			b = binary.BigEndian.AppendUint32(b, v)
		}
		return b
	}
	intent, gamma := Chunk{"sRGB", []byte{1}}, Chunk{"gAMA", numbers(45455)}
	white := Chunk{"cHRM", numbers(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)}
	linear, other := Chunk{"gAMA", numbers(100000)}, Chunk{"cHRM", make([]byte, 32)}
	hdr, icc, icc2 := Chunk{"cICP", []byte{9, 16, 0, 1}}, iccp(profile(200, "RGB ")), iccp(profile(300, "RGB "))
	kept := profileChunk(profile(200, "RGB "))
	for _, test := range []struct{ in, want []Chunk }{
		{[]Chunk{intent, gamma, white}, []Chunk{intent, gamma, white}},
		{[]Chunk{intent, {"gAMA", []byte{1}}}, []Chunk{intent}},
		{[]Chunk{{"gAMA", []byte{1}}, gamma}, []Chunk{gamma}},
		{[]Chunk{icc, intent, gamma}, []Chunk{kept, gamma}},
		{[]Chunk{icc, icc2}, []Chunk{kept}},
		{[]Chunk{linear, gamma, linear}, []Chunk{linear}},
		{[]Chunk{linear, other, other}, []Chunk{linear, other}},
		{[]Chunk{intent, intent, {"sRGB", []byte{0}}}, []Chunk{intent}},
		{[]Chunk{linear, other, intent}, []Chunk{intent}},
		{[]Chunk{iccp(nil), intent, linear}, []Chunk{intent}},
		{[]Chunk{hdr, icc, hdr}, []Chunk{kept, hdr}},
	} {
		file := read(t, withChunks(colours, test.in...))
		if !slices.EqualFunc(file.Colour, test.want, sameChunk) {
			t.Errorf("%v became %v, want %v", test.in, file.Colour, test.want)
		}
	}
}

func sameChunk(a, b Chunk) bool { return a.Type == b.Type && bytes.Equal(a.Data, b.Data) }

// A picture of 3x2 shades lies in each of the eight ways, as Pillow shows it, in a JPEG file and in
// a PNG file of 16 bits.
func TestReadAllOrientations(t *testing.T) {
	const side = 16
	stored := image.NewGray(image.Rect(0, 0, 3*side, 2*side))
	deep := image.NewNRGBA64(image.Rect(0, 0, 3, 2))
	for y := range 2 * side {
		for x := range 3 * side {
			shade := y/side*3 + x/side
			stored.SetGray(x, y, color.Gray{uint8(40 * shade)})
			deep.SetNRGBA64(x/side, y/side, color.NRGBA64{uint16(shade), 0x1234, 0, 0xfffe})
		}
	}
	for i, want := range readGoldens(t).Turned {
		exif := tiffWith(i%2 == 0, 0x12, 3, byte(i+1))
		photo := read(t, withSegments(stored, segment(0xe1, "Exif\x00\x00"+string(exif)))).Image
		picture := read(t, withChunks(deep, Chunk{"eXIf", exif})).Image
		if size := image.Pt(len(want[0]), len(want)); photo.Bounds().Size() != size.Mul(side) || picture.Bounds().Size() != size {
			t.Errorf("orientation %d: %v and %v, want %v", i+1, photo.Bounds(), picture.Bounds(), size)
			continue
		}
		for y, row := range want {
			for x, shade := range row {
				got := photo.At(x*side+side/2, y*side+side/2).(color.Gray).Y
				if d := int(got) - 40*int(shade); d < -2 || d > 2 {
					t.Errorf("orientation %d: %d,%d of the photograph is %d, want %d", i+1, x, y, got, 40*shade)
				}
				if got := picture.At(x, y); got != (color.NRGBA64{uint16(shade), 0x1234, 0, 0xfffe}) {
					t.Errorf("orientation %d: %d,%d of the picture is %v, want %d", i+1, x, y, got, shade)
				}
			}
		}
	}
}

func TestReadFirstOfSeveral(t *testing.T) {
	for _, name := range []string{"animated.gif", "animated.png", "animated.webp", "animated_glass.webp", "pages.tif"} {
		file := read(t, testFile(t, "pictures/"+name))
		if size := file.Image.Bounds().Size(); size != image.Pt(8, 6) {
			t.Errorf("%s is %v, want 8x6", name, size)
		}
		c := color.NRGBAModel.Convert(file.Image.At(4, 3)).(color.NRGBA)
		alpha := uint8(255)
		if strings.Contains(name, "glass") {
			alpha = 128
		}
		if c.R < 250 || c.G > 5 || c.B > 5 || c.A != alpha {
			t.Errorf("%s is %v, want red", name, c)
		}
		if len(file.Remarks) != 1 || !strings.Contains(file.Remarks[0], "only the first one is used") {
			t.Errorf("%s: remarks %q", name, file.Remarks)
		}
	}
	for _, name := range []string{"lossless.webp", "lossy_alpha.webp", "pictures/bilevel.tif", "pictures/bilevel.png"} {
		if file := read(t, testFile(t, name)); len(file.Remarks) > 0 {
			t.Errorf("%s: remarks %q of a picture that is alone", name, file.Remarks)
		}
	}
}

// An animation whose canvas is small and whose frame is not is refused before memory is taken for
// it.
func TestReadHugeFrame(t *testing.T) {
	frame := slices.Concat([]byte("ANMF\x00\x00\x00\x00"), make([]byte, 16), []byte("VP8L\x0a\x00\x00\x00"),
		[]byte{0x2f, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0}) // 16384x16384
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(frame)-8))
	data := slices.Concat([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x05\x00\x00"), frame)
	binary.LittleEndian.PutUint32(data[4:], uint32(len(data)-8))
	if _, err := Decode(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), "16384x16384 is too large") {
		t.Error(err)
	}
}

func TestReadSaysWhatIsUnusual(t *testing.T) {
	frame := func(marker, precision byte) []byte { // of 8x8 grey pixels, without any
		return jpegHead(segment(0xe0, "JFIF\x00"), segment(marker, string([]byte{precision, 0, 8, 0, 8, 1, 1, 0x11, 0})),
			segment(0xda, "\x01\x01\x00\x00\x3f\x00"), []byte{0xff, 0xd9})
	}
	for _, test := range []struct {
		data []byte
		want string
	}{
		{frame(0xc9, 8), "arithmetic-coded JPEG"},
		{frame(0xca, 8), "arithmetic-coded JPEG"},
		{frame(0xc3, 8), "a lossless JPEG, which is not read"},
		{frame(0xc6, 8), "a hierarchical JPEG, which is not read"},
		{frame(0xc1, 12), "a JPEG of 12 bits a channel, which is not read"},
	} {
		if _, err := Decode(bytes.NewReader(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
	if _, err := jpeg.Decode(bytes.NewReader(frame(0xc0, 8))); err == nil || strings.Contains(err.Error(), "unsupported") {
		t.Errorf("an ordinary frame is refused as unusual: %v", err)
	}
}
