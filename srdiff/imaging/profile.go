// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"slices"
)

// maxProfile is the greatest size of an ICC profile that is kept. Printers' profiles have at most 3
// MB.
const maxProfile = 8 << 20

// errProfile is the error for a profile that is not kept.
var errProfile = errors.New("its ICC profile is broken, and left out")

// jpegProfile returns the pieces of the profile in a JPEG file's segments in order (ICC.1:2022,
// annex B.4), or nil if there are none or a piece is missing.
func jpegProfile(data []byte) (pieces [][]byte) {
	const app2 = 0xe2
	for marker, body := range segments(data) {
		body, ok := bytes.CutPrefix(body, []byte("ICC_PROFILE\x00"))
		if marker != app2 || !ok || len(body) < 2 {
			continue
		}
		number, count := int(body[0]), int(body[1])
		if pieces == nil {
			pieces = make([][]byte, count)
		}
		if count != len(pieces) || number < 1 || number > count || pieces[number-1] != nil {
			return [][]byte{}
		}
		pieces[number-1] = body[2:]
	}
	if slices.ContainsFunc(pieces, func(piece []byte) bool { return piece == nil }) {
		return [][]byte{}
	}
	return pieces
}

// colour returns the PNG chunks that define the colours of a result, which is grey if img is, and
// otherwise RGB. The error states why a profile is not kept.
//
// Where several chunks speak, a reader takes cICP before iCCP before sRGB before gAMA and cHRM (PNG
// 3rd ed., 4.3). What contradicts one before it is left out.
func (x extras) colour(img image.Image) (chunks []Chunk, err error) {
	profile, found := slices.Concat(x.profile...), x.profile != nil
	intent := false
	for _, chunk := range x.png {
		intent = intent || chunk.Type == "sRGB"
		if chunk.Type == "iCCP" {
			found = true
			profile = inflateProfile(chunk.Data)
		} else {
			chunks = append(chunks, chunk)
		}
	}
	if found {
		space := "RGB "
		if isGrey(img) {
			space = "GRAY"
		}
		err = checkProfile(profile, space)
	}
	if found && err == nil {
		// A PNG file has one of the two.
		chunks = slices.DeleteFunc(chunks, func(c Chunk) bool { return c.Type == "sRGB" })
		return append([]Chunk{profileChunk(profile)}, chunks...), nil
	}
	if intent {
		chunks = slices.DeleteFunc(chunks, contradictsSRGB)
	}
	return chunks, err
}

// contradictsSRGB reports whether a chunk has other values than those of sRGB (PNG 3rd ed.,
// 11.3.2.5).
func contradictsSRGB(c Chunk) bool {
	switch c.Type {
	case "gAMA":
		return binary.BigEndian.Uint32(c.Data) != 45455
	case "cHRM":
		for i, want := range []uint32{31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000} {
			if binary.BigEndian.Uint32(c.Data[4*i:]) != want {
				return true
			}
		}
	}
	return false
}

// isGrey reports whether a picture is stored as shades of grey. Other pictures may have grey pixels
// too: see hasNoColour.
func isGrey(img image.Image) bool {
	return img.ColorModel() == color.GrayModel || img.ColorModel() == color.Gray16Model
}

// checkProfile checks a profile's header (ICC.1:2022, 7.2): the length, the signature and the
// colour space.
func checkProfile(profile []byte, space string) error {
	const header = 128
	if len(profile) < header || len(profile) > maxProfile || int(binary.BigEndian.Uint32(profile)) != len(profile) ||
		string(profile[36:40]) != "acsp" {
		return errProfile
	}
	if is := string(profile[16:20]); is != space {
		return fmt.Errorf("its ICC profile is for colours of the kind %q and not %q, and left out", is, space)
	}
	return nil
}

// inflateProfile returns the profile in an iCCP chunk: a name, its end, the method 0, and the
// compressed profile. It returns nil for a damaged chunk.
func inflateProfile(data []byte) []byte {
	_, packed, ok := bytes.Cut(data, []byte{0})
	if !ok || len(packed) < 1 || packed[0] != 0 {
		return nil
	}
	return inflate(packed[1:], maxProfile)
}

// inflate decompresses zlib data, and returns nil for damaged data. If the result is larger than
// most bytes, inflate stops after most + 1 bytes.
func inflate(packed []byte, most int64) []byte {
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil
	}
	return data
}

// profileChunk is the inverse of inflateProfile.
func profileChunk(profile []byte) Chunk {
	b := bytes.NewBufferString("ICC profile\x00\x00")
	w := zlib.NewWriter(b)
	w.Write(profile) // Writes to memory do not fail.
	w.Close()
	return Chunk{"iCCP", b.Bytes()}
}
