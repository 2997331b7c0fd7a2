// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"encoding/binary"
	"math"
	"regexp"
)

// xmpKey is the keyword of XMP in a PNG file (XMP specification, part 3).
const xmpKey = "XML:com.adobe.xmp"

// density is the pixels along a metre, or only their ratio. The zero density is none.
type density struct {
	x, y  uint32
	metre bool // not the ratio alone
}

// about returns the chunks that carry the file's metadata to a PNG file of the upright picture: its
// density, EXIF and XMP.
func (x extras) about(format string) (chunks []Chunk) {
	turned := orientation(x.exif) >= 5
	if d := x.density; d != (density{}) {
		if turned {
			d.x, d.y = d.y, d.x
		}
		data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, d.x), d.y)
		unit := byte(0)
		if d.metre {
			unit = 1
		}
		chunks = append(chunks, Chunk{"pHYs", append(data, unit)})
	}
	exif := x.exif
	if format == "tiff" {
		exif = exifOfTIFF(exif)
	}
	if exif = uprightExif(exif); exif != nil {
		chunks = append(chunks, Chunk{"eXIf", exif})
	}
	if len(x.xmp) > 0 && len(x.xmp) <= maxText {
		chunks = append(chunks, TextChunk(xmpKey, string(uprightXMP(x.xmp))))
	}
	return chunks
}

var xmpOrientation = regexp.MustCompile(`(tiff:Orientation(?:\s*=\s*["']|\s*>\s*))[1-8]`)

// uprightXMP returns the XMP of a picture after it was turned upright.
func uprightXMP(xmp []byte) []byte { return xmpOrientation.ReplaceAll(xmp, []byte("${1}1")) }

// perMetre is so many pixels a unit of so many metres, 0 for what makes no sense.
func perMetre(pixels, metres float64) uint32 {
	if n := math.Round(pixels / metres); n >= 1 && n <= math.MaxInt32 {
		return uint32(n)
	}
	return 0
}

const inch, centimetre = 0.0254, 0.01 // in metres

// densityOf is a density in pixels a unit, none where either is nonsense.
func densityOf(x, y, metres float64) density {
	d := density{perMetre(x, metres), perMetre(y, metres), true}
	if d.x == 0 || d.y == 0 {
		return density{}
	}
	return d
}

// jfifDensity reads a JPEG's JFIF segment: version, unit and pixels a unit.
func jfifDensity(b []byte) density {
	if len(b) < 7 {
		return density{}
	}
	x, y := binary.BigEndian.Uint16(b[3:]), binary.BigEndian.Uint16(b[5:])
	switch {
	case b[2] == 1:
		return densityOf(float64(x), float64(y), inch)
	case b[2] == 2:
		return densityOf(float64(x), float64(y), centimetre)
	case x != y && x > 0 && y > 0:
		return density{uint32(x), uint32(y), false}
	}
	return density{} // Pixels are square, which goes without saying.
}

// exifDensity reads the resolution of a TIFF structure.
func exifDensity(tiff []byte) density {
	order, d := byteOrder(tiff), firstDirectory(tiff)
	value := func(tag uint16) float64 {
		if f := d.fields[tag]; f.kind == rational && len(f.value) >= 8 {
			return float64(order.Uint32(f.value)) / float64(order.Uint32(f.value[4:]))
		}
		return 0
	}
	if d.fields == nil {
		return density{}
	}
	x, y := value(tagXResolution), value(tagYResolution)
	switch unit := d.number(order, tagUnit); {
	case unit == 0 || unit == 2:
		return densityOf(x, y, inch)
	case unit == 3:
		return densityOf(x, y, centimetre)
	}
	return density{}
}

// bmpDensity reads the pixels a metre in a BMP file's header.
func bmpDensity(data []byte) density {
	if len(data) < 46 || binary.LittleEndian.Uint32(data[14:]) < 40 {
		return density{}
	}
	return densityOf(float64(binary.LittleEndian.Uint32(data[38:])), float64(binary.LittleEndian.Uint32(data[42:])), 1)
}
