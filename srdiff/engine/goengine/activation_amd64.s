// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The constants of exp in activation.go.
DATA constants<>+0(SB)/4, $0x80000000 // sign
DATA constants<>+4(SB)/4, $0x42b20000 // highest: exp is infinite
DATA constants<>+8(SB)/4, $0xc2ae999a // lowest
DATA constants<>+12(SB)/4, $0x3fb8aa3b // log2(e)
DATA constants<>+16(SB)/4, $0x3f318000 // ln 2, its first bits
DATA constants<>+20(SB)/4, $0xb95e8083 // ln 2, the rest
DATA constants<>+24(SB)/4, $0x39506967 // the polynomial
DATA constants<>+28(SB)/4, $0x3ab743ce
DATA constants<>+32(SB)/4, $0x3c088908
DATA constants<>+36(SB)/4, $0x3d2aa9c1
DATA constants<>+40(SB)/4, $0x3e2aaaaa
DATA constants<>+44(SB)/4, $0x3f000000
DATA constants<>+48(SB)/4, $0x3f800000 // 1
DATA constants<>+52(SB)/4, $0x0000007f // the bias of exponents
GLOBL constants<>(SB), RODATA|NOPTR, $56

// Y4 = 1 / (1 + exp(-Y0)). NaN stays NaN.
#define SIGMOID \
	VXORPS Y15, Y0, Y1           \
	VMINPS Y1, Y14, Y1           \
	VMAXPS Y1, Y13, Y1           \
	VMULPS Y12, Y1, Y2           \
	VCVTPS2DQ Y2, Y2             \
	VCVTDQ2PS Y2, Y3             \
	VFNMADD231PS Y11, Y3, Y1     \
	VFNMADD231PS Y10, Y3, Y1     \
	VBROADCASTSS constants<>+24(SB), Y4 \
	VFMADD213PS Y9, Y1, Y4       \
	VFMADD213PS Y8, Y1, Y4       \
	VFMADD213PS Y7, Y1, Y4       \
	VFMADD213PS Y6, Y1, Y4       \
	VBROADCASTSS constants<>+44(SB), Y3 \
	VFMADD213PS Y3, Y1, Y4       \
	VMULPS Y1, Y1, Y3            \
	VFMADD213PS Y1, Y3, Y4       \
	VADDPS Y5, Y4, Y4            \
	VPBROADCASTD constants<>+52(SB), Y3 \
	VPADDD Y3, Y2, Y2            \
	VPSLLD $23, Y2, Y2           \
	VFMADD213PS Y5, Y2, Y4       \
	VDIVPS Y4, Y5, Y4

#define LOADCONSTANTS \
	VBROADCASTSS constants<>+0(SB), Y15  \
	VBROADCASTSS constants<>+4(SB), Y14  \
	VBROADCASTSS constants<>+8(SB), Y13  \
	VBROADCASTSS constants<>+12(SB), Y12 \
	VBROADCASTSS constants<>+16(SB), Y11 \
	VBROADCASTSS constants<>+20(SB), Y10 \
	VBROADCASTSS constants<>+28(SB), Y9  \
	VBROADCASTSS constants<>+32(SB), Y8  \
	VBROADCASTSS constants<>+36(SB), Y7  \
	VBROADCASTSS constants<>+40(SB), Y6  \
	VBROADCASTSS constants<>+48(SB), Y5

// func logisticAVX2(y *float32, eights int)
TEXT ·logisticAVX2(SB), NOSPLIT, $0-16
	MOVQ y+0(FP), DI
	MOVQ eights+8(FP), CX
	LOADCONSTANTS
loop:
	VMOVUPS (DI), Y0
	SIGMOID
	VMOVUPS Y4, (DI)
	ADDQ $32, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

// func siluAVX2(y *float32, eights int)
TEXT ·siluAVX2(SB), NOSPLIT, $0-16
	MOVQ y+0(FP), DI
	MOVQ eights+8(FP), CX
	LOADCONSTANTS
loop:
	VMOVUPS (DI), Y0
	SIGMOID
	VMULPS Y0, Y4, Y4
	VMOVUPS Y4, (DI)
	ADDQ $32, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
