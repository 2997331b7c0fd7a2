// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

#define LOAD(v0, v1, v2, v3) VLD1 (R0), [v0.S4, v1.S4, v2.S4, v3.S4]; ADD R3, R0
#define STORE(v0, v1, v2, v3) VST1 [v0.S4, v1.S4, v2.S4, v3.S4], (R0); ADD R3, R0
#define ROW(a, v0, v1, v2, v3) \
	VLD1R (a), [V28.S4]; ADD R5, a; \
	VFMLA V24.S4, V28.S4, v0.S4; VFMLA V25.S4, V28.S4, v1.S4; VFMLA V26.S4, V28.S4, v2.S4; VFMLA V27.S4, V28.S4, v3.S4

// func multiplyNEON(t *tile)
TEXT ·multiplyNEON(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R9
	MOVD 0(R9), R0   // y
	MOVD 8(R9), R10  // row 0 of a
	MOVD 16(R9), R2  // b
	MOVD 24(R9), R3  // yRow
	MOVD 32(R9), R4  // aRow
	MOVD 40(R9), R5  // aStep
	MOVD 48(R9), R6  // bStep
	MOVD 56(R9), R7  // k
	ADD  R4, R10, R11
	ADD  R4, R11, R12
	ADD  R4, R12, R13
	ADD  R4, R13, R14
	ADD  R4, R14, R15
	LOAD(V0, V1, V2, V3)
	LOAD(V4, V5, V6, V7)
	LOAD(V8, V9, V10, V11)
	LOAD(V12, V13, V14, V15)
	LOAD(V16, V17, V18, V19)
	LOAD(V20, V21, V22, V23)
loop:
	VLD1 (R2), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADD  R6, R2
	ROW(R10, V0, V1, V2, V3)
	ROW(R11, V4, V5, V6, V7)
	ROW(R12, V8, V9, V10, V11)
	ROW(R13, V12, V13, V14, V15)
	ROW(R14, V16, V17, V18, V19)
	ROW(R15, V20, V21, V22, V23)
	SUBS $1, R7
	BNE  loop
	MOVD 0(R9), R0
	STORE(V0, V1, V2, V3)
	STORE(V4, V5, V6, V7)
	STORE(V8, V9, V10, V11)
	STORE(V12, V13, V14, V15)
	STORE(V16, V17, V18, V19)
	STORE(V20, V21, V22, V23)
	RET
