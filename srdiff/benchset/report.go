// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package benchset

import (
	"fmt"
	"strings"
)

// Report is what enlargers came to on a set. It can be written as JSON.
type Report struct {
	Set          string      `json:"set"`
	Factor       int         `json:"factor"`
	Damage       string      `json:"damage,omitempty"` // of the low-resolution pictures: see degrade.ParseDamage
	Pictures     []string    `json:"pictures"`         // their names
	Rows         []Row       `json:"rows"`             // one for each enlarger
	OriginalNIQE *float64    `json:"original_niqe"`
	Published    []Published `json:"published"` // of other methods on this set, without damage
	Protocol     string      `json:"protocol"`

	originals []*float64
}

// Row is what one enlarger came to.
type Row struct {
	Name     string  `json:"name"`
	Mean     Score   `json:"mean"`     // NIQE's over the pictures that have one
	Pictures []Score `json:"pictures"` // in the order of Report.Pictures
}

const protocol = "low resolution by MATLAB's bicubic with antialiasing, 8 bits%s; PSNR and SSIM on luma (BT.601, 16..235) with %d pixels of " +
	"border cropped; LR-PSNR over red, green and blue; NIQE by srdiff's own parameters, not comparable with published values"

func newReport(s *Set, enlargers []Enlarger) *Report {
	r := &Report{Set: s.Name, Factor: s.Factor, Damage: s.Damage.String()}
	then := ""
	if r.Damage == "" {
		r.Published = PublishedOn(s.Name, s.Factor)
	} else {
		then = ", then " + r.Damage
	}
	r.Protocol = fmt.Sprintf(protocol, then, s.Factor)
	for _, e := range enlargers {
		r.Rows = append(r.Rows, Row{Name: e.Name})
	}
	return r
}

// add adds the results of a picture.
func (r *Report) add(name string, originalNIQE *float64, results []Result) {
	r.Pictures = append(r.Pictures, name)
	r.originals = append(r.originals, originalNIQE)
	r.OriginalNIQE = meanOf(r.originals)
	for i, result := range results {
		row := &r.Rows[i]
		row.Pictures = append(row.Pictures, result.Score)
		row.Mean = meanScore(row.Pictures)
	}
}

func meanScore(scores []Score) Score {
	var m Score
	var niqe []*float64
	for _, s := range scores {
		share := 1 / float64(len(scores))
		m.PSNR += share * s.PSNR
		m.SSIM += share * s.SSIM
		m.LRPSNR += share * s.LRPSNR
		m.Seconds += share * s.Seconds
		niqe = append(niqe, s.NIQE)
	}
	m.NIQE = meanOf(niqe)
	return m
}

// meanOf is the mean of the values that are not nil; nil if all are.
func meanOf(values []*float64) *float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if v != nil {
			sum += *v
			n++
		}
	}
	if n == 0 {
		return nil
	}
	mean := sum / float64(n)
	return &mean
}

// Markdown returns the means as a table, with the published figures below the measured ones, and
// what is measured.
func (r *Report) Markdown() string {
	var b strings.Builder
	name := r.Set
	if r.Damage != "" {
		name += " after " + r.Damage
	}
	fmt.Fprintf(&b, "| %s, x%d, %d pictures | parameters | PSNR, dB | SSIM | LR-PSNR, dB | NIQE | s/megapixel | source |\n", name, r.Factor, len(r.Pictures))
	b.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, row := range r.Rows {
		m := row.Mean
		fmt.Fprintf(&b, "| %s | | %.2f | %.4f | %.2f | %s | %.3g | measured |\n", row.Name, m.PSNR, m.SSIM, m.LRPSNR, cell(m.NIQE), m.Seconds)
	}
	fmt.Fprintf(&b, "| original | | | | | %s | | measured |\n", cell(r.OriginalNIQE))
	for _, p := range r.Published {
		ssim := "-"
		if p.SSIM > 0 {
			ssim = fmt.Sprintf("%.4f", p.SSIM)
		}
		fmt.Fprintf(&b, "| %s | %s | %.2f | %s | | | | %s |\n", p.Name, p.Parameters, p.PSNR, ssim, p.Source)
	}
	fmt.Fprintf(&b, "\nProtocol: %s.%s\n", r.Protocol, r.measured())
	return b.String()
}

// measured says of how many pictures the NIQE is, where not of all.
func (r *Report) measured() string {
	n := 0
	for _, v := range r.originals {
		if v != nil {
			n++
		}
	}
	if n == len(r.originals) {
		return ""
	}
	return fmt.Sprintf(" NIQE is that of the %d pictures that are large enough.", n)
}

// PicturesMarkdown returns a table of PSNR, SSIM, LR-PSNR and NIQE of every picture.
func (r *Report) PicturesMarkdown() string {
	var b strings.Builder
	b.WriteString("| PSNR / SSIM / LR-PSNR / NIQE |")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, " %s |", row.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(r.Rows)) + "\n")
	for i, name := range r.Pictures {
		fmt.Fprintf(&b, "| %s |", name)
		for _, row := range r.Rows {
			s := row.Pictures[i]
			fmt.Fprintf(&b, " %.2f / %.4f / %.2f / %s |", s.PSNR, s.SSIM, s.LRPSNR, cell(s.NIQE))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// cell is a value with two decimals, "-" where there is none.
func cell(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *v)
}
