// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// y = y OP x, for eights times eight values.
#define EACH(OP) \
	MOVQ y+0(FP), DI       \
	MOVQ x+8(FP), SI       \
	MOVQ eights+16(FP), CX \
loop:                      \
	VMOVUPS (DI), Y0       \
	OP (SI), Y0, Y0        \
	VMOVUPS Y0, (DI)       \
	ADDQ $32, DI           \
	ADDQ $32, SI           \
	DECQ CX                \
	JNZ loop               \
	VZEROUPPER             \
	RET

TEXT ·addAVX2(SB), NOSPLIT, $0-24
	EACH(VADDPS)

TEXT ·subtractAVX2(SB), NOSPLIT, $0-24
	EACH(VSUBPS)

TEXT ·multiplyEachAVX2(SB), NOSPLIT, $0-24
	EACH(VMULPS)
