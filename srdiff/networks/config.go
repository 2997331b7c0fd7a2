// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package networks

import (
	"cmp"
	"errors"
	"fmt"
)

// Config describes a network. The zero value is the tutorial's: a field that is zero means the
// default given beside it.
type Config struct {
	Name         Name `json:"name"`          // Tutorial, Tiny, Small, Base or a registered one; Tutorial
	BaseChannels int  `json:"base_channels"` // channels of its first stage; 32, Tiny 16, Small 32, Base 64, PixelShuffle 64, Residual 96

	// Blocks is the number of residual blocks: in each stage of a ResidualUNet (Tiny 1, Small 1, Base 2),
	// or in the whole network (PixelShuffle 8, Residual 6).
	Blocks int `json:"blocks"`

	// Parts of a ResidualUNet.
	Attention      int     `json:"attention"`       // resolutions with attention, smallest first, 0 to 3; 1; -1 for none
	Transformers   int     `json:"transformers"`    // Transformer blocks at the bottleneck; 0
	AddTime        bool    `json:"add_time"`        // see nn.ResBlock
	Dropout        float64 `json:"dropout"`         // share of values that training zeroes in every block; 0
	NormGroups     int     `json:"norm_groups"`     // groups of channels of a GroupNorm; 8
	HeadChannels   int     `json:"head_channels"`   // channels of an attention head; 32
	ResidualSpread float64 `json:"residual_spread"` // standard deviation of x_0 - y: see diffusion.Precondition; 0.15
}

// presets are the sizes of a ResidualUNet. With 8 groups and attention at one resolution they have
//
//	Tiny    16 channels   1 block a stage     193,363 parameters
//	Small   32            1                   766,627
//	Base    64            2                 4,900,675
var presets = map[Name]Config{
	Tiny:  {BaseChannels: 16, Blocks: 1},
	Small: {BaseChannels: 32, Blocks: 1},
	Base:  {BaseChannels: 64, Blocks: 2},
}

// WithDefaults returns the configuration with the default in place of every zero. A network that a
// program registered has a default for the name only.
func (c Config) WithDefaults() Config {
	c.Name = cmp.Or(c.Name, Tutorial)
	if c.Name == Tutorial {
		c.BaseChannels = cmp.Or(c.BaseChannels, 32)
	}
	switch c.Name {
	case PixelShuffle:
		c.BaseChannels, c.Blocks = cmp.Or(c.BaseChannels, 64), cmp.Or(c.Blocks, 8)
	case Residual:
		c.BaseChannels, c.Blocks = cmp.Or(c.BaseChannels, 96), cmp.Or(c.Blocks, 6)
	}
	if preset, residual := presets[c.Name]; residual {
		c.BaseChannels = cmp.Or(c.BaseChannels, preset.BaseChannels)
		c.Blocks = cmp.Or(c.Blocks, preset.Blocks)
		c.Attention = cmp.Or(c.Attention, 1)
		c.NormGroups = cmp.Or(c.NormGroups, 8)
		c.HeadChannels = cmp.Or(c.HeadChannels, 32)
		c.ResidualSpread = cmp.Or(c.ResidualSpread, 0.15)
	}
	return c
}

// Validate reports the first value that cannot be used, with what was expected. Zeros stand for
// their defaults.
func (c Config) Validate() error {
	_, err := New(c)
	return err
}

// check validates the fields that all networks use.
func (c Config) check() error {
	if !(c.ResidualSpread >= 0 && c.ResidualSpread <= 10) { // written so that NaN fails too
		return fmt.Errorf("residual spread is %g: want a standard deviation from 0 to 10, such as 0.15", c.ResidualSpread)
	}
	return nil
}

func (c Config) checkTutorial() error {
	plain := Config{Name: c.Name, BaseChannels: c.BaseChannels}
	switch {
	case c != plain:
		return errors.New("blocks, attention, transformers, added time, dropout, norm groups, head channels and residual " +
			"spread belong to the networks tiny, small and base, not to the tutorial's")
	case c.BaseChannels < 1 || c.BaseChannels > 1024:
		return fmt.Errorf("base channels is %d: want a number from 1 to 1024", c.BaseChannels)
	}
	return nil
}

func (c Config) checkResidual() error {
	switch {
	case c.Blocks < 1 || c.Blocks > 64:
		return fmt.Errorf("blocks is %d: want a number from 1 to 64", c.Blocks)
	case c.Attention < -1 || c.Attention > 3:
		return fmt.Errorf("attention is %d: want the number of resolutions that have it, 1 to 3, or -1 for none", c.Attention)
	case c.Transformers < 0 || c.Transformers > 64:
		return fmt.Errorf("transformers is %d: want a number from 0 to 64", c.Transformers)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout is %g: want a share from 0 to below 1, such as 0.1", c.Dropout)
	case c.NormGroups < 1 || c.NormGroups > 1024:
		return fmt.Errorf("norm groups is %d: want a number from 1 to 1024", c.NormGroups)
	case c.BaseChannels < 1 || c.BaseChannels > 1024:
		return fmt.Errorf("base channels is %d: want a number from 1 to 1024", c.BaseChannels)
	case c.BaseChannels%c.NormGroups != 0 || c.BaseChannels%2 != 0:
		return fmt.Errorf("base channels is %d: want an even multiple of %d for the network %s", c.BaseChannels, c.NormGroups, c.Name)
	case c.HeadChannels < 1 || c.HeadChannels > 1024:
		return fmt.Errorf("head channels is %d: want a number from 1 to 1024", c.HeadChannels)
	}
	return nil
}
