#include "textflag.h"

// func maskNEON(p *byte, n int, key uint32)
//
// As in mask_amd64.s, with vectors of 16 bytes: the first and the last are
// computed from the bytes as they were and stored when all vectors at multiples
// of 16 between them are masked.
//
// R0 p   R1 n   R2 key   R3 the vector to mask next   R4 where last stands
TEXT ·maskNEON(SB), NOSPLIT, $0-20
	MOVD  p+0(FP), R0
	MOVD  n+8(FP), R1
	MOVWU key+16(FP), R2
	SUB   $16, R1, R4
	ADD   R0, R4
	LSL   $3, R1, R5
	RORW  R5, R2, R5
	VDUP  R2, V0.S4
	VDUP  R5, V3.S4
	VLD1  (R0), [V1.B16]
	VLD1  (R4), [V2.B16]
	VEOR  V0.B16, V1.B16, V1.B16
	VEOR  V3.B16, V2.B16, V2.B16
	ADD   $16, R0, R3
	AND   $~15, R3
	SUB   R0, R3, R5
	LSL   $3, R5
	RORW  R5, R2, R5
	VDUP  R5, V0.S4

loop4:
	ADD  $64, R3, R6
	CMP  R4, R6
	BHI  loop1
	VLD1 (R3), [V4.B16, V5.B16, V6.B16, V7.B16]
	VEOR V0.B16, V4.B16, V4.B16
	VEOR V0.B16, V5.B16, V5.B16
	VEOR V0.B16, V6.B16, V6.B16
	VEOR V0.B16, V7.B16, V7.B16
	VST1 [V4.B16, V5.B16, V6.B16, V7.B16], (R3)
	MOVD R6, R3
	B    loop4

loop1:
	CMP  R4, R3
	BCS  done
	VLD1 (R3), [V4.B16]
	VEOR V0.B16, V4.B16, V4.B16
	VST1 [V4.B16], (R3)
	ADD  $16, R3
	B    loop1

done:
	VST1 [V1.B16], (R0)
	VST1 [V2.B16], (R4)
	RET
