// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package networks_test

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// plain is a network of three convolutions, which sees x_t, y and the time as channels.
type plain struct{ channels int }

func (plain) Multiple() int { return 1 } // pictures of any size
func (plain) Margin() int   { return 1 } // Low is used enlarged bilinearly

func (n plain) Predict(scope *nn.Scope, in networks.Inputs) *Node {
	x := Concatenate([]*Node{in.Xt, in.Enlarged(), nn.TimeChannel(in.Xt, in.T, in.Timesteps)}, -1)
	x = nn.ReLU(nn.Conv(scope.In("first"), x, n.channels, 3))
	x = nn.ReLU(nn.Conv(scope.In("second"), x, n.channels, 3))
	return nn.Conv(scope.In("last"), x, 3, 3)
}

func init() {
	networks.Register("plain", func(c networks.Config) (networks.Network, error) {
		if c.BaseChannels < 1 {
			return nil, fmt.Errorf("base channels is %d: want a positive number", c.BaseChannels)
		}
		return plain{c.BaseChannels}, nil
	})
}

// A network of one's own is registered by
//
//	networks.Register("plain", func(c networks.Config) (networks.Network, error) {
//		return plain{c.BaseChannels}, nil
//	})
//
// and srdiff.Config{Network: networks.Config{Name: "plain", BaseChannels: 16}} trains it.
func ExampleRegister() {
	_, err := networks.New(networks.Config{Name: "plain"})
	fmt.Println(err)
	network, err := networks.New(networks.Config{Name: "plain", BaseChannels: 16})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("pictures of a multiple of", network.Multiple())
	// Output:
	// base channels is 0: want a positive number
	// pictures of a multiple of 1
}
