// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package benchset

import "strings"

// Published is what a paper reports of a method on a set, at a factor, by the protocol of
// Set.Measure.
type Published struct {
	Name       string  `json:"name"`
	Parameters string  `json:"parameters"` // such as 57K; "-" where the source gives none
	PSNR       float64 `json:"psnr"`       // dB
	SSIM       float64 `json:"ssim"`       // 0 where the source gives none
	Source     string  `json:"source"`     // the paper whose table has the figures
}

// PublishedOn returns published figures for a set, known by its usual names such as BSD100 or B100,
// and a factor; nil where none are known. Methods that learn to look real rather than to be close
// come last.
func PublishedOn(set string, factor int) []Published {
	column, known := map[string]int{"set5": 0, "set14": 1, "bsd100": 2, "b100": 2, "bsds100": 2, "urban100": 3}[strings.ToLower(set)]
	if !known || factor != 4 {
		return nil
	}
	var list []Published
	for _, p := range publishedX4 {
		if v := p.values[column]; v.psnr > 0 {
			list = append(list, Published{p.name, p.parameters, v.psnr, v.ssim, p.source})
		}
	}
	return list
}

// The papers whose tables the figures were read from. They compile the figures of other methods
// too.
const (
	safmn  = "Sun et al. 2023, SAFMN"
	carn   = "Ahn et al. 2018, CARN"
	swinir = "Liang et al. 2021, SwinIR"
	hat    = "Chen et al. 2023, HAT"
	diffir = "Xia et al. 2023, DiffIR"
)

type figures struct{ psnr, ssim float64 }

// publishedX4 are figures on Set5, Set14, BSD100 and Urban100.
var publishedX4 = []struct {
	name, parameters string
	values           [4]figures
	source           string
}{
	{"Bicubic", "-", [4]figures{{28.42, .8104}, {26.00, .7027}, {25.96, .6675}, {23.14, .6577}}, safmn},
	{"SRCNN", "57K", [4]figures{{30.48, .8628}, {27.49, .7503}, {26.90, .7101}, {24.52, .7221}}, safmn},
	{"FSRCNN", "12K", [4]figures{{30.71, .8657}, {27.59, .7535}, {26.98, .7150}, {24.62, .7280}}, safmn},
	{"VDSR", "665K", [4]figures{{31.35, .8838}, {28.01, .7674}, {27.29, .7251}, {25.18, .7524}}, safmn},
	{"LapSRN", "813K", [4]figures{{31.54, .8850}, {28.19, .7720}, {27.32, .7280}, {25.21, .7560}}, safmn},
	{"DRRN", "297K", [4]figures{{31.68, .8888}, {28.21, .7720}, {27.38, .7284}, {25.44, .7638}}, carn},
	{"MemNet", "677K", [4]figures{{31.74, .8893}, {28.26, .7723}, {27.40, .7281}, {25.50, .7630}}, carn},
	{"CARN-M", "412K", [4]figures{{31.92, .8903}, {28.42, .7762}, {27.44, .7304}, {25.62, .7694}}, carn},
	{"CARN", "1.6M", [4]figures{{32.13, .8937}, {28.60, .7806}, {27.58, .7349}, {26.07, .7837}}, carn},
	{"EDSR-baseline", "1.5M", [4]figures{{32.09, .8938}, {28.58, .7813}, {27.57, .7357}, {26.04, .7849}}, safmn},
	{"PAN", "272K", [4]figures{{32.13, .8948}, {28.61, .7822}, {27.59, .7363}, {26.11, .7854}}, safmn},
	{"SAFMN", "240K", [4]figures{{32.18, .8948}, {28.60, .7813}, {27.58, .7359}, {25.97, .7809}}, safmn},
	{"IMDN", "715K", [4]figures{{32.21, .8948}, {28.58, .7811}, {27.56, .7353}, {26.04, .7838}}, swinir},
	{"SwinIR-light", "897K", [4]figures{{32.44, .8976}, {28.77, .7858}, {27.69, .7406}, {26.47, .7980}}, swinir},
	{"SwinIR", "11.9M", [4]figures{{32.92, 0}, {29.09, 0}, {27.92, 0}, {27.45, 0}}, hat},
	{"HAT", "20.8M", [4]figures{{33.04, 0}, {29.23, 0}, {28.00, 0}, {27.97, 0}}, hat},
	{"SRGAN", "-", [4]figures{1: {26.84, 0}, 3: {24.41, 0}}, diffir},
	{"ESRGAN", "-", [4]figures{1: {26.59, 0}, 3: {24.37, 0}}, diffir},
	{"LDM", "-", [4]figures{1: {25.62, 0}, 3: {23.36, 0}}, diffir},
	{"SRDiff", "-", [4]figures{1: {27.14, 0}, 3: {25.12, 0}}, diffir},
	{"DiffIR", "-", [4]figures{1: {27.73, 0}, 3: {26.05, 0}}, diffir},
}
