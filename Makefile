# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
#
# All that is downloaded, built or cached lands in .lab/, and nothing in your home. `make clean` removes it again.

LAB    := $(CURDIR)/.lab
PYTHON ?= python3
FIRST  := notebooks/00_complete_implementation.ipynb

# Jupyter and the browser it opens see your own XDG folders, as they are here before the next lines change them.
yours := $(foreach v,XDG_CONFIG_HOME XDG_CACHE_HOME,$(if $($(v)),,-u $(v))) \
         $(foreach v,XDG_CONFIG_HOME XDG_CACHE_HOME,$(if $($(v)),$(v)='$($(v))'))

# Your settings made with `go env -w` (GOPROXY, GOFLAGS and the like) stay in force.
ifeq ($(GOENV)$(filter Darwin,$(shell uname)),)
GOENV := $(or $(XDG_CONFIG_HOME),$(HOME)/.config)/go/env
endif
export GOENV
XDG_CONFIG_HOME := $(LAB)/config
XDG_CACHE_HOME  := $(LAB)/cache
export XDG_CONFIG_HOME XDG_CACHE_HOME
export GOCACHE      := $(LAB)/gocache
export GOMODCACHE   := $(LAB)/gomodcache
export GOPATH       := $(LAB)/gopath
yourflags := $(shell XDG_CONFIG_HOME='$(LAB)/config' GOENV='$(GOENV)' go env GOFLAGS 2>/dev/null)
export GOFLAGS      := $(yourflags) -buildvcs=false -modcacherw
export GOTOOLCHAIN  := local
export GOWORK       := off
export GOMLX_NO_AUTO_INSTALL := 1
plugins     := $(LAB)/lib/go-xla
yourplugins := $(subst $(plugins):,,$(PJRT_PLUGIN_LIBRARY_PATH))# as with the paths below
export PJRT_PLUGIN_LIBRARY_PATH := $(plugins):$(yourplugins)

export JUPYTER_PATH        := $(LAB)/jupyter
export JUPYTER_CONFIG_DIR  := $(LAB)/jupyter/config
export JUPYTER_DATA_DIR    := $(LAB)/jupyter/data
export JUPYTER_RUNTIME_DIR := $(LAB)/jupyter/runtime
export IPYTHONDIR          := $(LAB)/jupyter/ipython
export PYTHONNOUSERSITE    := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
ours        := $(LAB)/bin:$(LAB)/venv/bin:
yourpath    := $(subst $(ours),,$(PATH))# Also in a terminal of JupyterLab, which has ours.
export PATH := $(ours)$(yourpath)

settings := $(addprefix .lab/jupyter/config/,jupyter_server_config.json \
              labconfig/default_setting_overrides.json labconfig/page_config.json)

browser = $(firstword $(foreach b,chromium chromium-browser google-chrome google-chrome-stable,$(shell command -v $(b))))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help lab setup test test-go cross release cross-run test-notebooks test-slider test-page test-onnx test-cluster test-slurm test-ray test-browser test-kernel notebooks pages bench bench-enlarging bench-layers gpu-check gpu-pack quality fuzz fmt clean check FORCE

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

lab: check .lab/warm.ok $(settings) ## start JupyterLab with the first notebook; it is passed LAB_FLAGS="..."
	@echo "Starting JupyterLab. Its address comes last; Ctrl-C twice ends it."
	@exec env $(yours) python3 -m jupyterlab $(LAB_FLAGS)

setup: check .lab/warm.ok ## build the kernel and fetch what it needs, once; the srdiff command goes to .lab/bin
	@$(build-programs)

# The programs say of which commit they are, where git can tell.
programs = -o .lab/bin/ ./srdiff/cmd/srdiff ./kernelext/nbcheck
build-programs = { go build -buildvcs=auto $(programs) 2>/dev/null || go build $(programs); }

test: test-go test-notebooks test-slider test-page test-onnx ## all tests: the code's and the notebooks', two in a browser if there is one, and ONNX Runtime's

# XLA compiles in half the time without its optimizations. Most of these tests compile more than they compute, and some that
# pure Go runs whole are shorter or omitted.
quickly := --xla_backend_optimization_level=0

# GoMLX computes addresses in a way that the race detector's check of pointers takes for a fault. TestXLA has no Go
# code that runs side by side, and takes a minute.
raceflags := -gcflags=github.com/gomlx/compute/...=-d=checkptr=0 -skip TestXLA

test-go: check .lab/tools.ok .lab/engine.ok ## format, vet, staticcheck, unit tests, race detector
	@unformatted="$$(gofmt -l srdiff kernelext notebooks)"; if [ -n "$$unformatted" ]; then \
		echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	go vet -tags "notebookdeps kernel browser cross onnxruntime" ./...
	staticcheck -tags "notebookdeps kernel browser cross onnxruntime" ./...
	SRDIFF_ENGINE=go go test -timeout 20m ./...
	@if .lab/bin/srdiff doctor --engine xla:cpu >/dev/null 2>&1; then set -x; \
		SRDIFF_ENGINE=xla:cpu go test -run 'AreTorchs|IsTorchs' ./srdiff && \
		SRDIFF_ENGINE=xla:cpu XLA_FLAGS=$(quickly) go test -short -timeout 40m ./srdiff ./srdiff/cmd/srdiff; \
	else echo "the tests on xla:cpu are left out: 'srdiff doctor --engine xla:cpu' says why"; fi
	go test -timeout 20m -race $(raceflags) ./srdiff/dataset/... ./srdiff/engine/... ./srdiff/internal/worker ./kernelext/...

# The systems that srdiff is built for, without C: there its engine is pure Go.
systems := linux/amd64 linux/arm64 windows/amd64 darwin/arm64

cross: check ## build without C for every system, and run the command's tests without C on this one
	@for system in $(systems); do \
		echo "$$system"; export CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/}; \
		go build -o '$(LAB)/build/'$$GOOS-$$GOARCH/ ./srdiff/cmd/srdiff && go build ./srdiff/... || exit 1; \
	done
	CGO_ENABLED=0 GOOS=windows go vet ./srdiff/...
	CGO_ENABLED=0 go test -short ./srdiff/cmd/srdiff ./srdiff/engine ./srdiff/imaging

# Each line of SHA256SUMS is checked by a program that did not write it.
release: check ## build stripped programs for every system, with SHA256SUMS and LICENSES, in .lab/release
	@go run ./srdiff/internal/release '$(LAB)/release' $(systems)
	@cd '$(LAB)/release' && { sha256sum -c --quiet SHA256SUMS 2>/dev/null || shasum -a 256 -c SHA256SUMS; }

cross-run: check ## run the programs for Windows and for Linux on arm64 on a picture, with wine and qemu where they are
	go test -tags cross -count 1 -v -run 'TestForeignSystems$$' ./srdiff/cmd/srdiff

test-notebooks: setup ## execute every notebook through the kernel, and fail where a cell fails; check the pages of make pages
	python3 kernelext/pages/pages_test.py
	go test -tags kernel -count 1 ./kernelext/nbcheck
	nbcheck -out .lab/build/notebooks notebooks/*.ipynb

# The quick part of test-browser.
test-slider: setup $(settings)
	@if [ -n "$(browser)" ]; then set -x; go test -tags browser -count 1 -run 'TestSlider$$' ./kernelext/browsertest; \
	else echo "the test in a browser is left out: there is no chromium or google-chrome"; fi

test-page: check .lab/library.ok ## try the page of srdiff serve in chromium or google-chrome
	@if [ -n "$(browser)" ]; then set -x; go test -tags browser -count 1 -run 'TestPage$$' ./srdiff/cmd/srdiff; \
	else echo "the test of the page is left out: there is no chromium or google-chrome"; fi

test-onnx: check .lab/library.ok .lab/onnx.ok ## run exported models in ONNX Runtime, beside srdiff
	@if [ -x .lab/onnx-venv/bin/python3 ]; then set -x; \
		ONNX_PYTHON='$(LAB)/onnx-venv/bin/python3' go test -tags onnxruntime -count 1 -run ONNX ./srdiff; \
	else echo "the tests in ONNX Runtime are left out: it could not be installed, see .lab/build/onnx.log"; fi

# CLUSTER_FLAGS="--small 40 --large 0" takes less time.
test-cluster: check .lab/engine.ok .lab/cluster.ok ## enlarge pictures on a Spark cluster here that loses a machine; CLUSTER_FLAGS="..."
	@$(build-programs)
	.lab/cluster-venv/bin/python3 srdiff/cluster/test_workers.py
	.lab/cluster-venv/bin/kubernetes-validate --strict srdiff/cluster/job.yaml
	@if command -v java >/dev/null; then set -x; .lab/cluster-venv/bin/python3 srdiff/cluster/test_cluster.py $(CLUSTER_FLAGS); \
	else echo "the test on Spark is left out: there is no Java"; fi

test-slurm: check .lab/engine.ok .lab/cluster.ok ## the same with Slurm, as root: apt install slurm-wlm munge
	@$(build-programs)
	.lab/cluster-venv/bin/python3 srdiff/cluster/test_slurm.py

test-ray: check .lab/engine.ok .lab/ray.ok ## the same with Ray
	@$(build-programs)
	.lab/ray-venv/bin/python3 srdiff/cluster/test_ray.py

test-browser: setup $(settings) ## try notebooks in JupyterLab with chromium or google-chrome, which must be there
	@[ -n "$(browser)" ] || { echo "srdiff: there is no browser: install chromium or google-chrome" >&2; exit 1; }
	go test -tags browser -count 1 -timeout 50m $(BROWSER_FLAGS) ./kernelext/browsertest

test-kernel: setup .lab/kerneltest.ok ## Jupyter's own tests of the kernel
	PYTHONPATH=.lab/kerneltest python3 kernelext/kerneltest/kerneltest.py

notebooks: setup ## execute the notebooks and write their outputs into them
	nbcheck -in-place notebooks/*.ipynb

pages: check .lab/venv.ok ## render the notebooks with their outputs as HTML pages, in .lab/pages; they need no network
	python3 kernelext/pages/pages.py .lab/pages notebooks/*.ipynb
	@echo "the first page is .lab/pages/index.html"

bench: check .lab/engine.ok .lab/bench.ok ## measure beside PyTorch and JAX, into docs/benchmarks.md; BENCH_FLAGS="..."
	go build -o .lab/bin/ ./srdiff/bench
	.lab/bin/bench $(BENCH_FLAGS)

bench-enlarging: check .lab/engine.ok .lab/bench.ok ## measure enlarging beside PyTorch and ONNX Runtime, into docs/benchmarks.md
	go build -o .lab/bin/ ./srdiff/bench/enlarging
	.lab/bin/enlarging $(BENCH_FLAGS)

bench-layers: check .lab/engine.ok ## measure what part of the machine's speed each convolution reaches, into docs/benchmarks.md; BENCH_FLAGS="..."
	go run ./srdiff/bench/roofline $(BENCH_FLAGS)

# XLA prints lines of its own.
gpu-check: check .lab/engine.ok .lab/gpucheck.ok ## compile srdiff's programs for two kinds of NVIDIA GPUs, without one, and list what they are made of
	@plugin="$$(ls $(plugins)/pjrt_c_api_cpu*.so)" && .lab/gpucheck-venv/bin/python3 srdiff/bench/gpucheck/gpucheck.py \
		--srdiff .lab/bin/srdiff --plugin "$$plugin" --header "$$(go list -m -f '{{.Dir}}' github.com/gomlx/go-xla)/pjrt" \
		2>.lab/build/gpu-check.log || { cat .lab/build/gpu-check.log >&2; exit 1; }

# The programs need no Go there, and glibc alone.
gpu-pack: check .lab/library.ok ## build what srdiff/bench/gpucheck/on_gpu.sh runs on a machine with a GPU into .lab/gpu
	go build -ldflags '-s -w' -trimpath -o .lab/gpu/ ./srdiff/cmd/srdiff ./srdiff/bench
	go test -c -ldflags '-s -w' -o .lab/gpu/srdiff.test ./srdiff

quality: check .lab/engine.ok ## train in several ways side by side, into docs/training.md; QUALITY_FLAGS="..."
	go build -o .lab/bin/ ./srdiff/bench/quality
	.lab/bin/quality $(QUALITY_FLAGS)

fuzz: check ## feed every reader of files with noise, for FUZZTIME each (10s; 100000x is so many tries), within 1 GB
	@ulimit -d 1048576; grep -rl '^func Fuzz' --include='*_test.go' srdiff kernelext | sort | while read -r file; do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' "$$file"); do \
			echo "$$file $$name"; \
			go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(or $(FUZZTIME),10s) || exit 1; \
		done; done

fmt: ## format the code
	gofmt -w srdiff kernelext notebooks

clean: ## remove .lab/: everything that was downloaded, built or cached
	rm -rf .lab

# What must be on the machine. Each line says what to do.
check:
	@fail() { echo "srdiff: $$1" >&2; exit 1; }; \
	command -v go >/dev/null || fail "Go is missing: install Go 1.26 or later from https://go.dev/dl"; \
	need=$$(awk '$$1 == "go" { print $$2 }' go.mod); \
	said=$$(go list -m 2>&1) || fail "$$said: Go $$need or later is at https://go.dev/dl"; \
	command -v cc >/dev/null || \
		fail "a C compiler is missing: apt install gcc, dnf install gcc, or xcode-select --install"; \
	PATH='$(yourpath)'; \
	command -v '$(PYTHON)' >/dev/null || fail "Python is missing: install Python 3.10 or later, or say make PYTHON=..."; \
	'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		fail "$$('$(PYTHON)' -V) is too old: install Python 3.10 or later, or say make PYTHON=..."; \
	'$(PYTHON)' -c 'import venv, ensurepip' 2>/dev/null || \
		fail "Python's venv module is missing: apt install python3-venv"

# $(call step,number,name,command) runs a step of the set-up: one line with its time, and the log if it fails.
define step
@mkdir -p .lab/build; printf '[%s/5] %s ... ' '$(1)' '$(2)'; start=$$(date +%s); \
if { $(3); } >.lab/build/setup.log 2>&1; then echo "$$(( $$(date +%s) - start )) s"; \
else echo failed; cat .lab/build/setup.log; exit 1; fi
@touch $@
endef

# GoNB walks the module that cells import and tells gopls of every Go file, so it must not meet .lab/gomodcache: cells
# import the working tree through these links. GoNB itself does not follow them, as they are relative.
.lab/srlab/go.mod:
	@mkdir -p $(@D); for f in go.mod go.sum srdiff kernelext; do ln -sfn ../srlab/../../$$f $(@D)/$$f; done

# Files that change with where the clone is, and with the versions of Go and Python: what depends on them follows.
write = @mkdir -p $(@D); printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) >$@
.lab/versions: FORCE
	$(call write,"$$(go version) $$(PATH='$(yourpath)' '$(PYTHON)' -c 'import sys; print(sys.base_prefix, sys.version)')")
.lab/jupyter/kernels/gonb/kernel.json: FORCE
	$(call write,"$$KERNEL_JSON")
.lab/jupyter/config/jupyter_server_config.json: FORCE
	$(call write,"$$SERVER_JSON")
.lab/jupyter/config/labconfig/default_setting_overrides.json: FORCE
	$(call write,"$$OVERRIDES_JSON")
.lab/jupyter/config/labconfig/page_config.json: FORCE
	$(call write,"$$PAGE_JSON")

.lab/venv.ok: notebooks/requirements.txt .lab/versions
	$(call step,1,JupyterLab into .lab/venv,rm -rf .lab/venv && PATH='$(yourpath)' '$(PYTHON)' -m venv .lab/venv && \
		.lab/venv/bin/python3 -m pip install --no-cache-dir -r notebooks/requirements.txt)

.lab/bench.ok: srdiff/bench/requirements.txt .lab/versions
	@echo 'PyTorch and JAX into .lab/bench-venv, which takes some minutes'
	@rm -rf .lab/bench-venv && PATH='$(yourpath)' '$(PYTHON)' -m venv .lab/bench-venv && \
		.lab/bench-venv/bin/python3 -m pip install --quiet --no-cache-dir -r srdiff/bench/requirements.txt
	@touch $@

.lab/gpucheck.ok: srdiff/bench/gpucheck/requirements.txt .lab/versions
	@echo "JAX's compiler for CUDA into .lab/gpucheck-venv, which takes a minute and 1.4 GB"
	@rm -rf .lab/gpucheck-venv && PATH='$(yourpath)' '$(PYTHON)' -m venv .lab/gpucheck-venv && \
		.lab/gpucheck-venv/bin/python3 -m pip install --quiet --no-cache-dir --no-deps -r $<
	@touch $@

.lab/cluster.ok: srdiff/cluster/requirements.txt .lab/versions
	@echo 'Spark into .lab/cluster-venv, which takes a minute'
	@rm -rf .lab/cluster-venv && PATH='$(yourpath)' '$(PYTHON)' -m venv .lab/cluster-venv && \
		.lab/cluster-venv/bin/python3 -m pip install --quiet --no-cache-dir -r $<
	@touch $@

.lab/ray.ok: srdiff/cluster/ray-requirements.txt .lab/versions
	@echo 'Ray into .lab/ray-venv'
	@rm -rf .lab/ray-venv && PATH='$(yourpath)' '$(PYTHON)' -m venv .lab/ray-venv && \
		.lab/ray-venv/bin/python3 -m pip install --quiet --no-cache-dir -r $<
	@touch $@

# ONNX Runtime has no package for some systems and versions of Python. Then the next make tries again.
.lab/onnx.ok: srdiff/testdata/onnx-requirements.txt .lab/versions
	@echo 'ONNX Runtime into .lab/onnx-venv'; mkdir -p .lab/build
	@rm -rf .lab/onnx-venv; if { PATH='$(yourpath)' '$(PYTHON)' -m venv .lab/onnx-venv && \
		.lab/onnx-venv/bin/python3 -m pip install --no-cache-dir -r $<; } >.lab/build/onnx.log 2>&1; \
	then touch $@; else rm -rf .lab/onnx-venv; fi

.lab/kerneltest.ok: kernelext/kerneltest/requirements.txt .lab/venv.ok
	@rm -rf .lab/kerneltest && python3 -m pip install --quiet --no-cache-dir --no-deps --target .lab/kerneltest -r $<
	@touch $@

.lab/tools.ok: kernelext/toolchain/go.mod kernelext/toolchain/go.sum .lab/versions
	$(call step,2,kernel and its tools,mkdir -p .lab/bin && go -C kernelext/toolchain build -o '$(LAB)/bin/' tool)

# All modules of go.mod, not just those that are built: `go get`, which GoNB runs for every cell, asks for each.
.lab/library.ok: go.mod go.sum .lab/versions
	$(call step,3,library,go mod download && go build -tags notebookdeps ./... && $(build-programs))

# What XLA runs on. Where it cannot be had, the pure-Go engine works without, and the next make tries again.
.lab/engine.ok: .lab/library.ok $(wildcard srdiff/engine/install/xlacpu/*.*)
	@$(build-programs) # which has the plugin's sources in it
	@echo '[4/5] XLA'; done=1; \
	if nvidia-smi -L >/dev/null 2>&1; then .lab/bin/srdiff engine install cuda || done=0; fi; \
	.lab/bin/srdiff engine install cpu || done=0; \
	[ $$done = 0 ] || touch $@

# The first cell of a fresh kernel takes a second, since this compiles what it needs with the kernel's own settings.
.lab/warm.ok: .lab/venv.ok .lab/tools.ok .lab/library.ok .lab/engine.ok .lab/srlab/go.mod .lab/jupyter/kernels/gonb/kernel.json
	$(call step,5,first cell,nbcheck -out .lab/build kernelext/nbcheck/testdata/good.ipynb)

# The kernel imports this working tree, whose go.mod has all versions, and downloads nothing. Cells are linked without
# debugging tables, which takes less time; stack traces stay.
define KERNEL_JSON
{
 "argv": ["$(LAB)/bin/gonb", "--kernel", "{connection_file}", "-go_work=$(LAB)/srlab",
          "-logtostderr=false", "-stderrthreshold=FATAL", "-log_file=$(LAB)/jupyter/gonb.log"],
 "display_name": "Go (srdiff)",
 "language": "go",
 "interrupt_mode": "message",
 "env": {
  "PATH": "$(LAB)/bin:$${PATH}",
  "GOENV": "$(GOENV)",
  "GOCACHE": "$(GOCACHE)",
  "GOMODCACHE": "$(GOMODCACHE)",
  "GOPATH": "$(GOPATH)",
  "GOPROXY": "off",
  "GOFLAGS": "-buildvcs=false -modcacherw -ldflags=-s",
  "GOTOOLCHAIN": "local",
  "GOWORK": "",
  "GOMLX_NO_AUTO_INSTALL": "1",
  "PJRT_PLUGIN_LIBRARY_PATH": "$(PJRT_PLUGIN_LIBRARY_PATH)",
  "XDG_CONFIG_HOME": "$(XDG_CONFIG_HOME)",
  "XDG_CACHE_HOME": "$(XDG_CACHE_HOME)"
 }
}
endef
# On this machine only, with a token; just this kernel; no calls to other hosts. Completion comes from the kernel:
# Jupyter's language servers would come through npm. Pictures that follow a slider are more than the 1 MB/s that Jupyter
# lets through by default.
define SERVER_JSON
{
 "ServerApp": {"ip": "127.0.0.1", "log_level": "WARN", "allow_root": true, "root_dir": "$(CURDIR)",
               "jpserver_extensions": {"jupyter_lsp": false}},
 "ZMQChannelsWebsocketConnection": {"limit_rate": false},
 "MultiKernelManager": {"default_kernel_name": "gonb"},
 "KernelSpecManager": {"ensure_native_kernel": false, "allowed_kernelspecs": ["gonb"]},
 "LabApp": {"log_level": "WARN", "extension_manager": "readonly",
            "default_url": "/lab/tree/$(FIRST)"}
}
endef
define OVERRIDES_JSON
{
 "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false},
 "@jupyterlab/extensionmanager-extension:plugin": {"enabled": false}
}
endef
define PAGE_JSON
{
 "disabledExtensions": {
  "@jupyterlab/lsp-extension": true,
  "@jupyterlab/fileeditor-extension:language-server": true,
  "@jupyterlab/notebook-extension:language-server": true
 }
}
endef
export KERNEL_JSON SERVER_JSON OVERRIDES_JSON PAGE_JSON
