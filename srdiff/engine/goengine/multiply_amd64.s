// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The fields of tile. Rows 0 to 2 of y are at DI, those of a at SI; rows 3 to 5 at R12 and R13.
#define ARGUMENTS \
	MOVQ t+0(FP), AX  \
	MOVQ 0(AX), DI    \
	MOVQ 8(AX), SI    \
	MOVQ 16(AX), BX   \
	MOVQ 24(AX), R8   \
	MOVQ 32(AX), R9   \
	MOVQ 40(AX), R10  \
	MOVQ 48(AX), R11  \
	MOVQ 56(AX), CX   \
	LEAQ (R8)(R8*2), R12 \
	ADDQ DI, R12      \
	LEAQ (R9)(R9*2), R13 \
	ADDQ SI, R13

#define NEXT \
	ADDQ R10, SI  \
	ADDQ R10, R13 \
	ADDQ R11, BX  \
	DECQ CX

#define LOAD4(row, z0, z1, z2, z3) \
	VMOVUPS 0 row, z0; VMOVUPS 64 row, z1; VMOVUPS 128 row, z2; VMOVUPS 192 row, z3
#define STORE4(row, z0, z1, z2, z3) \
	VMOVUPS z0, 0 row; VMOVUPS z1, 64 row; VMOVUPS z2, 128 row; VMOVUPS z3, 192 row
#define ROW4(a, z0, z1, z2, z3) \
	VBROADCASTSS a, Z28; VFMADD231PS Z24, Z28, z0; VFMADD231PS Z25, Z28, z1; VFMADD231PS Z26, Z28, z2; VFMADD231PS Z27, Z28, z3

// func multiplyAVX512x4(t *tile)
TEXT ·multiplyAVX512x4(SB), NOSPLIT, $0-8
	ARGUMENTS
	LOAD4((DI), Z0, Z1, Z2, Z3)
	LOAD4((DI)(R8*1), Z4, Z5, Z6, Z7)
	LOAD4((DI)(R8*2), Z8, Z9, Z10, Z11)
	LOAD4((R12), Z12, Z13, Z14, Z15)
	LOAD4((R12)(R8*1), Z16, Z17, Z18, Z19)
	LOAD4((R12)(R8*2), Z20, Z21, Z22, Z23)
loop:
	LOAD4((BX), Z24, Z25, Z26, Z27)
	ROW4((SI), Z0, Z1, Z2, Z3)
	ROW4((SI)(R9*1), Z4, Z5, Z6, Z7)
	ROW4((SI)(R9*2), Z8, Z9, Z10, Z11)
	ROW4((R13), Z12, Z13, Z14, Z15)
	ROW4((R13)(R9*1), Z16, Z17, Z18, Z19)
	ROW4((R13)(R9*2), Z20, Z21, Z22, Z23)
	NEXT
	JNZ loop
	STORE4((DI), Z0, Z1, Z2, Z3)
	STORE4((DI)(R8*1), Z4, Z5, Z6, Z7)
	STORE4((DI)(R8*2), Z8, Z9, Z10, Z11)
	STORE4((R12), Z12, Z13, Z14, Z15)
	STORE4((R12)(R8*1), Z16, Z17, Z18, Z19)
	STORE4((R12)(R8*2), Z20, Z21, Z22, Z23)
	VZEROUPPER
	RET

#define LOAD2(row, z0, z1) VMOVUPS 0 row, z0; VMOVUPS 64 row, z1
#define STORE2(row, z0, z1) VMOVUPS z0, 0 row; VMOVUPS z1, 64 row
#define ROW2(a, z0, z1) VBROADCASTSS a, Z28; VFMADD231PS Z24, Z28, z0; VFMADD231PS Z25, Z28, z1

// func multiplyAVX512x2(t *tile)
TEXT ·multiplyAVX512x2(SB), NOSPLIT, $0-8
	ARGUMENTS
	LOAD2((DI), Z0, Z1)
	LOAD2((DI)(R8*1), Z2, Z3)
	LOAD2((DI)(R8*2), Z4, Z5)
	LOAD2((R12), Z6, Z7)
	LOAD2((R12)(R8*1), Z8, Z9)
	LOAD2((R12)(R8*2), Z10, Z11)
loop:
	LOAD2((BX), Z24, Z25)
	ROW2((SI), Z0, Z1)
	ROW2((SI)(R9*1), Z2, Z3)
	ROW2((SI)(R9*2), Z4, Z5)
	ROW2((R13), Z6, Z7)
	ROW2((R13)(R9*1), Z8, Z9)
	ROW2((R13)(R9*2), Z10, Z11)
	NEXT
	JNZ loop
	STORE2((DI), Z0, Z1)
	STORE2((DI)(R8*1), Z2, Z3)
	STORE2((DI)(R8*2), Z4, Z5)
	STORE2((R12), Z6, Z7)
	STORE2((R12)(R8*1), Z8, Z9)
	STORE2((R12)(R8*2), Z10, Z11)
	VZEROUPPER
	RET

// The instruction takes its broadcast from memory.
#define ROW1(a, z0) VFMADD231PS.BCST a, Z24, z0

// func multiplyAVX512x1(t *tile)
TEXT ·multiplyAVX512x1(SB), NOSPLIT, $0-8
	ARGUMENTS
	VMOVUPS (DI), Z0
	VMOVUPS (DI)(R8*1), Z1
	VMOVUPS (DI)(R8*2), Z2
	VMOVUPS (R12), Z3
	VMOVUPS (R12)(R8*1), Z4
	VMOVUPS (R12)(R8*2), Z5
loop:
	VMOVUPS (BX), Z24
	ROW1((SI), Z0)
	ROW1((SI)(R9*1), Z1)
	ROW1((SI)(R9*2), Z2)
	ROW1((R13), Z3)
	ROW1((R13)(R9*1), Z4)
	ROW1((R13)(R9*2), Z5)
	NEXT
	JNZ loop
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, (DI)(R8*1)
	VMOVUPS Z2, (DI)(R8*2)
	VMOVUPS Z3, (R12)
	VMOVUPS Z4, (R12)(R8*1)
	VMOVUPS Z5, (R12)(R8*2)
	VZEROUPPER
	RET

#define LOADY(row, y0, y1) VMOVUPS 0 row, y0; VMOVUPS 32 row, y1
#define STOREY(row, y0, y1) VMOVUPS y0, 0 row; VMOVUPS y1, 32 row
#define ROWY(a, y0, y1) VBROADCASTSS a, Y14; VFMADD231PS Y12, Y14, y0; VFMADD231PS Y13, Y14, y1

// func multiplyAVX2(t *tile)
TEXT ·multiplyAVX2(SB), NOSPLIT, $0-8
	ARGUMENTS
	LOADY((DI), Y0, Y1)
	LOADY((DI)(R8*1), Y2, Y3)
	LOADY((DI)(R8*2), Y4, Y5)
	LOADY((R12), Y6, Y7)
	LOADY((R12)(R8*1), Y8, Y9)
	LOADY((R12)(R8*2), Y10, Y11)
loop:
	LOADY((BX), Y12, Y13)
	ROWY((SI), Y0, Y1)
	ROWY((SI)(R9*1), Y2, Y3)
	ROWY((SI)(R9*2), Y4, Y5)
	ROWY((R13), Y6, Y7)
	ROWY((R13)(R9*1), Y8, Y9)
	ROWY((R13)(R9*2), Y10, Y11)
	NEXT
	JNZ loop
	STOREY((DI), Y0, Y1)
	STOREY((DI)(R8*1), Y2, Y3)
	STOREY((DI)(R8*2), Y4, Y5)
	STOREY((R12), Y6, Y7)
	STOREY((R12)(R8*1), Y8, Y9)
	STOREY((R12)(R8*2), Y10, Y11)
	VZEROUPPER
	RET
