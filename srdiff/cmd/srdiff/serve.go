// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/notebooks/models"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/serve"
)

func serveCommand() *cobra.Command {
	var p servedProgram
	var port int
	var noBrowser bool
	var engineName string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Enlarge pictures on a local page in the browser",
		Long: "Enlarge pictures on a page in the browser. Only this machine reaches the page, and only by the printed address.\n" +
			"Results have the bytes that srdiff upscale writes. Ctrl-C ends the page and removes all its files.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if port < 0 || port > 65535 {
				return fmt.Errorf("port is %d: want a number from 0, for any free port, to 65535", port)
			}
			if err := p.findModels(); err != nil {
				return err
			}
			var err error
			if p.loadedModels, err = openEngine(engineName); err != nil {
				return err
			}
			at, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				return fmt.Errorf("the page cannot be served on port %d: %w; give another --port, or 0 for any", port, cause(err))
			}
			return serve.Run(cmd.Context(), at, &p, func(s *serve.Server) {
				printLine(cmd.OutOrStdout(), "%s", s.Address())
				printLine(cmd.ErrOrStderr(), "open this address in a browser on this machine; Ctrl-C ends the page")
				if !noBrowser {
					openBrowser(s.Ticket())
				}
			})
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&port, "port", 0, "port of the page; 0 for any free one")
	flags.BoolVar(&noBrowser, "no-browser", false, "do not open the page in a browser")
	flags.StringVar(&p.model, "model", "", "model file that the page offers first, beside those of srdiff models")
	flags.Var((*byteCount)(&p.memory), "memory", "memory that the program may use, such as 4GB (default: 2GB)")
	engineFlag(flags, &engineName)
	return cmd
}

// cause returns the innermost error.
func cause(err error) error {
	for {
		wrapped, ok := err.(interface{ Unwrap() error })
		if !ok || wrapped.Unwrap() == nil {
			return err
		}
		err = wrapped.Unwrap()
	}
}

// openBrowser opens an address in the user's browser if there is one. The address is printed too,
// so nothing is lost if this fails.
func openBrowser(address string) {
	var cmd *exec.Cmd
	switch runtime.GOOS {
	case "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", address)
	case "darwin":
		cmd = exec.Command("open", address)
	default:
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return
		}
		cmd = exec.Command("xdg-open", address)
	}
	if cmd.Start() == nil {
		go cmd.Wait()
	}
}

// servedProgram makes results for the page as "srdiff upscale" does. It implements serve.Program.
type servedProgram struct {
	model  string // of --model
	memory int64
	offers []serve.Model
	*loadedModels
}

// findModels lists the models that the page offers.
func (p *servedProgram) findModels() error {
	names := models.Names()
	if p.model != "" && !slices.Contains(names, p.model) {
		names = append([]string{p.model}, names...)
	}
	for _, name := range names {
		source, err := findModel(name, defaultTimes)
		if err != nil {
			return err
		}
		config, err := source.config()
		if err != nil {
			return err
		}
		offer := serve.Model{Name: name, For: source.embedded.For, Factor: config.Factor, Detail: config.Predictor.Name != ""}
		if source.path != "" {
			offer.Name = filepath.Base(source.path)
		}
		p.offers = append(p.offers, offer)
	}
	return nil
}

// Models implements serve.Program.
func (p *servedProgram) Models() []serve.Model { return p.offers }

// find returns the model of settings, and the options that they mean.
func (p *servedProgram) find(s serve.Settings) (source modelSource, o resultOptions, err error) {
	name := s.Model
	if p.model != "" && name == filepath.Base(p.model) {
		name = p.model
	} else if !slices.Contains(models.Names(), name) { // a path would open any file
		return source, o, fmt.Errorf("no model is called %q: want %s", name, strings.Join(models.Names(), ", "))
	}
	o = resultOptions{size: targetSize{Scale: s.Scale}, quality: defaultQuality}
	o.sampling.Memory, o.sampling.Fidelity = p.memory, 1-s.Strength
	if err := o.size.check(); err != nil {
		return source, o, err
	}
	source, err = findModel(name, cmp.Or(s.Scale, defaultTimes))
	return source, o, err
}

// Check implements serve.Program.
func (p *servedProgram) Check(s serve.Settings) error {
	source, o, err := p.find(s)
	if err != nil {
		return err
	}
	config, err := source.config()
	if err != nil {
		return err
	}
	return o.sampling.Validate(config)
}

// Open implements serve.Program.
func (p *servedProgram) Open(s serve.Settings) (serve.Enlarger, error) {
	source, o, err := p.find(s)
	if err != nil {
		return nil, err
	}
	m, err := p.load(source)
	if err != nil {
		return nil, err
	}
	// The flags of the command line that mean the same, for the provenance.
	var sampling srdiff.SampleOptions
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	samplingFlags(flags, &sampling)
	if s.Strength < 1 {
		if err := flags.Set("strength", strconv.FormatFloat(s.Strength, 'g', -1, 64)); err != nil {
			return nil, err
		}
	}
	e, err := newEnlarger(p.engine, m.Model, m.hash, o, optionsOf(flags, m.Config))
	if err != nil {
		return nil, err
	}
	return servedEnlarger{e}, nil
}

// CheckSpace implements serve.Program.
func (p *servedProgram) CheckSpace(folder string, bytes int64) error {
	var room diskSpace
	room.add(folder, uint64(bytes))
	return room.check()
}

// servedEnlarger is an enlarger for the page.
type servedEnlarger struct{ *enlarger }

// Check implements serve.Enlarger.
func (e servedEnlarger) Check(file *imaging.File, format imaging.Format) error {
	return e.checkPicture(e.m.Config, file, format)
}

// Name implements serve.Enlarger.
func (e servedEnlarger) Name(name string, format imaging.Format) string {
	endings := map[imaging.Format]string{imaging.PNG: ".png", imaging.JPEG: ".jpg", imaging.TIFF: ".tif", imaging.WebP: ".webp"}
	return strings.TrimSuffix(name, filepath.Ext(name)) + e.size.suffix(e.m.Config.Factor) + endings[format]
}

// Enlarge implements serve.Enlarger.
func (e servedEnlarger) Enlarge(ctx context.Context, file *imaging.File, progress func(float64, string), refined func(srdiff.Refined)) imaging.Strips {
	var rest timeLeft
	return e.enlarger.Enlarge(ctx, file, func(s srdiff.SampleStep) {
		share, done := progressOf(s)
		progress(share, done+rest.left(share, 1))
	}, refined)
}

// Mix implements serve.Enlarger.
func (e servedEnlarger) Mix(r srdiff.Refined) imaging.Picture { return r.At(e.sampling.Fidelity) }

// Detail implements serve.Enlarger.
func (e servedEnlarger) Detail() bool { return e.m.Config.Predictor.Name != "" }
