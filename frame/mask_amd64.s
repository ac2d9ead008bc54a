#include "textflag.h"

// Both functions do the same, with vectors of W = 32 and 16 bytes:
//
//   first = the first W bytes, masked             (as they are, in a register)
//   last  = the last W bytes, masked
//   mask all vectors at multiples of W between the two, in place
//   store first and last
//
// first and last overlap the vectors between them, and have the same bytes
// there. So every access in the loop is aligned, and there is no remainder.
//
// DI p   R8 n   R9 the vector to mask next   R10 where last stands
// AX key DX key for last, later for R9

#define SETUP(W) \
	MOVQ p+0(FP), DI \
	MOVQ n+8(FP), R8 \
	MOVL key+16(FP), AX \
	MOVL AX, DX \
	LEAQ (R8*8), CX \
	RORL CX, DX \
	LEAQ -W(DI)(R8*1), R10 \
	LEAQ W(DI), R9 \
	ANDQ $-W, R9

#define BODYKEY \
	MOVL R9, CX \
	SUBL DI, CX \
	SHLL $3, CX \
	MOVL AX, DX \
	RORL CX, DX

// func maskAVX2(p *byte, n int, key uint32)
TEXT ·maskAVX2(SB), NOSPLIT, $0-20
	SETUP(32)
	VMOVD AX, X0
	VMOVD DX, X2
	VPBROADCASTD X0, Y0
	VPBROADCASTD X2, Y2
	VPXOR (DI), Y0, Y1
	VPXOR (R10), Y2, Y2
	BODYKEY
	VMOVD DX, X0
	VPBROADCASTD X0, Y0

loop4:
	LEAQ 128(R9), R11
	CMPQ R11, R10
	JHI  loop1
	VPXOR (R9), Y0, Y3
	VPXOR 32(R9), Y0, Y4
	VPXOR 64(R9), Y0, Y5
	VPXOR 96(R9), Y0, Y6
	VMOVDQA Y3, (R9)
	VMOVDQA Y4, 32(R9)
	VMOVDQA Y5, 64(R9)
	VMOVDQA Y6, 96(R9)
	MOVQ R11, R9
	JMP  loop4

loop1:
	CMPQ R9, R10
	JCC  done
	VPXOR (R9), Y0, Y3
	VMOVDQA Y3, (R9)
	ADDQ $32, R9
	JMP  loop1

done:
	VMOVDQU Y1, (DI)
	VMOVDQU Y2, (R10)
	VZEROUPPER
	RET

// func maskSSE2(p *byte, n int, key uint32)
TEXT ·maskSSE2(SB), NOSPLIT, $0-20
	SETUP(16)
	MOVL   AX, X0
	MOVL   DX, X3
	PSHUFD $0, X0, X0
	PSHUFD $0, X3, X3
	MOVOU  (DI), X1
	MOVOU  (R10), X2
	PXOR   X0, X1
	PXOR   X3, X2
	BODYKEY
	MOVL   DX, X0
	PSHUFD $0, X0, X0

loop4:
	LEAQ 64(R9), R11
	CMPQ R11, R10
	JHI  loop1
	MOVO (R9), X3
	MOVO 16(R9), X4
	MOVO 32(R9), X5
	MOVO 48(R9), X6
	PXOR X0, X3
	PXOR X0, X4
	PXOR X0, X5
	PXOR X0, X6
	MOVO X3, (R9)
	MOVO X4, 16(R9)
	MOVO X5, 32(R9)
	MOVO X6, 48(R9)
	MOVQ R11, R9
	JMP  loop4

loop1:
	CMPQ R9, R10
	JCC  done
	MOVO (R9), X3
	PXOR X0, X3
	MOVO X3, (R9)
	ADDQ $16, R9
	JMP  loop1

done:
	MOVOU X1, (DI)
	MOVOU X2, (R10)
	RET
