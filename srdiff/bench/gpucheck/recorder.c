// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// A PJRT plugin that writes each program to a file, as go-xla sends it to a GPU, and then compiles and runs it with the plugin
// for the processor. Its file must have "cuda" in its name, so that go-xla writes its programs for a GPU.
//
//	RECORD_PLUGIN  the processor's plugin
//	RECORD_FOLDER  the folder for the programs: 001.mlir, 002.mlir and so on

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "pjrt_c_api.h"

static PJRT_Client_Create *createClient;
static PJRT_Client_Compile *compileProgram;

static void fail(const char *what) {
  fprintf(stderr, "recorder: %s\n", what);
  exit(1);
}

// A GPU's options, such as how its memory is allocated, mean nothing to the processor's plugin.
static PJRT_Error *create(PJRT_Client_Create_Args *args) {
  args->num_options = 0;
  return createClient(args);
}

static PJRT_Error *compile(PJRT_Client_Compile_Args *args) {
  static int programs;
  char name[4096];
  snprintf(name, sizeof name, "%s/%03d.mlir", getenv("RECORD_FOLDER"), ++programs);
  FILE *file = fopen(name, "wb");
  if (file == NULL || fwrite(args->program->code, 1, args->program->code_size, file) != args->program->code_size || fclose(file) != 0)
    fail("RECORD_FOLDER cannot be written to");
  return compileProgram(args);
}

const PJRT_Api *GetPjrtApi(void) {
  static PJRT_Api api;
  if (api.struct_size != 0) return &api;
  void *plugin = dlopen(getenv("RECORD_PLUGIN"), RTLD_NOW);
  if (plugin == NULL) fail(dlerror());
  const PJRT_Api *(*get)(void) = (const PJRT_Api *(*)(void))dlsym(plugin, "GetPjrtApi");
  if (get == NULL) fail(dlerror());
  api = *get();
  createClient = api.PJRT_Client_Create;
  compileProgram = api.PJRT_Client_Compile;
  api.PJRT_Client_Create = create;
  api.PJRT_Client_Compile = compile;
  return &api;
}
