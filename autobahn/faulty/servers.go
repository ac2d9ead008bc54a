package faulty

import "slices"

// Servers are the defects of servers.
var Servers = slices.Concat(receivers, []Defect{
	{"takes any masking", split("M1.* M5.*")},
	{"ignores reserved bits", split(`3.1 3.2 3.3 3.4 3.5 3.6 D1.1 D1.2 D1.3 D1.4 D1.5 D1.6 D1.7 D1.8 D1.9 D1.10 D1.11 D1.12 D2.1 D2.2
		D2.3 D2.4 D2.5 D2.6 D2.7 D2.8 D2.9 D2.10 D2.11 D2.12 D2.13 D2.15 D2.17 D2.18 D2.19 D2.20 D3.1 D3.2
		D3.3 D3.4 D3.5 D3.6 D3.7 D3.8 D3.10 D3.11 D3.12 D3.13 D3.14 D4.* N2.* W1.* W2.* W3.* 12.* 13.* U1.3
		U1.4 V1.* V2.* D5.*`)},
	{"ignores RSV2 and RSV3", split("3.1 3.2 3.3 D3.6 D3.7 D3.8 V1.* V2.*")},
	{"ignores reserved opcodes", split("4.* G1.7 P1.1 P1.3 P1.4 O1.1 O1.2 O1.3 P2.5")},
	{"takes long control frames", split("2.5 7.3.6 C1.2")},
	{"takes a message inside a message", split("5.18 F1.6 F1.7 F1.8 O1.4")},
	{"takes every fragment for a message", split(`5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.18 5.19 5.20 6.1.2 6.1.3 6.2.2 6.2.3 6.2.4 6.4.1 6.4.2 7.1.5 10.1.1
		M1.6 M3.5 F1.1 F1.2 F1.3 F1.4 F1.5 F1.6 F1.7 F1.8 F1.9 F1.12 F1.14 F2.8 R1.* D2.11 D2.12 D2.13 D2.16
		D2.17 D3.1 D3.2 D3.5 D3.13 9.3.5 13.1.11 13.2.11 13.3.11 13.4.11 13.5.11 13.6.11 13.7.11 U1.2 U1.4
		U1.6 U1.7 C1.1 C1.2 V1.2 V2.2 V2.4 O1.3 O1.4 O1.5 M5.2 M5.3 L2.* D5.11`)},
	{"unmasks with the message's first key", split(`5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.1.3 6.2.2 6.2.3 6.2.4 10.1.1 M3.5 F1.1 F1.2 F1.4 F1.5 F1.9
		F1.12 F1.14 F2.8 R1.* D2.11 D2.12 D2.13 D2.16 D2.17 9.3.5 13.1.11 13.2.11 13.3.11 13.4.11 13.5.11
		13.6.11 13.7.11 U1.2 U1.4 U1.7 O1.5 D5.11`)},
	{"takes any masking of empty frames", split("M1.2 M5.*")},
	{"takes any masking of control frames", split("M1.4 M1.5 M1.9 M5.2")},
	{"takes any masking of continuations", split("M1.6 M5.3")},
	{"takes any masking after the first message", split("M1.6 M1.8 M5.*")},
	{"takes any masking after ten messages", split("M5.1 M5.2")},
	{"repeats the byte at 4,096", split(`B1.1 B2.* R1.* N2.* W1.* W2.* W3.* D5.10 9.1.2 9.2.1 9.5.3 12.4.5 13.1.11 13.2.11 13.3.11 13.4.11
		13.5.11 13.6.11 13.7.11`)},
	{"loses Pings after 100 at once", split("B1.4 B1.5")},
	{"loses what comes with the handshake after 4 KiB", split("G1.6 G3.2 G3.3 G3.4 G3.5 G3.6 G3.7 G3.8 G3.9 G3.10")},
	{"loses what comes with the handshake after 64 KiB", split("G3.6 G3.7 G3.8 G3.9")},
	{"refuses codes above 4095", split("K5.1 7.7.13 K1.7")},
	{"sends a second Close", split(`P2.* 2.5 3.* 4.* 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 5.18 6.3.* 6.4.* 6.6.1 6.6.3
		6.6.4 6.6.6 6.6.8 6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.1 6.16.* 6.17.* 6.18.* 6.19.*
		6.20.* 6.21.* 7.3.2 7.3.6 7.5.1 7.9.*`)},
	{"sends a message behind the Close", split(`P2.* 1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H1.* G1.*
		M1.* M3.* L1.* K1.* K2.* K4.* P1.1 P1.3 P1.4 P1.7 P1.8 P1.9 F1.* F2.* R1.* D1.* D2.* D3.* D4.* N1.*
		U1.* U4.* C1.* V1.* V2.* O1.* M5.* L2.* K5.* H5.* H7.* N4.* D5.*`)},
	{"takes a parameter twice", split("N1.13 N1.14 N1.15 N4.*")},
	{"takes a parameter with an empty value", split("N1.6 N4.*")},
	{"takes a value of a parameter that has none", split("N1.11 N1.12 N4.3 N4.4")},
	{"passes over unknown parameters", split("N1.17 N4.*")},
	{"takes a quote alone", split("N4.1 N4.2")},
	{"takes a number with more behind it", split("N4.1 N4.2")},
	{"takes a sign", split("N4.1 N4.2")},
	{"takes leading zeros", split("N1.7 N4.1 N4.2")},
	{"takes a window of 16 bits", split("N1.2 N1.9 N4.1 N4.2")},
	{"reorders fragments", split(`5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.2.2 6.2.3 6.2.4 M3.5 F1.4 F1.5 F1.9 F1.12 F1.14 F2.8 R1.*
		D2.16 U1.2 U1.7 O1.5`)},
	{"echoes text as binary", split(`1.1.* 3.2 3.3 3.4 4.1.3 4.1.4 4.1.5 4.2.3 4.2.4 4.2.5 5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.1.*
		6.2.* 6.5.* 6.6.2 6.6.5 6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.*
		7.1.1 10.1.1 H1.* G1.1 G1.2 G1.3 G1.5 G1.6 M1.8 M3.1 M3.2 M3.3 M3.4 M3.5 P1.8 P1.9 F1.1 F1.2 F1.3
		F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F2.1 F2.4 F2.6 F2.7 F2.8 R1.* D2.* N1.* N2.* 9.1.2 9.3.5 9.5.3
		9.7.2 12.1.* 12.4.* 13.* U1.* C1.* V1.3 V2.3 V2.4 O1.5 M5.2 L2.* P2.3 H5.* H7.* N4.* D5.*`)},
	{"drops empty messages", split(`1.1.1 1.2.1 6.1.1 6.1.2 M3.6 F2.3 R1.1 R1.2 R1.4 R1.5 R1.7 R1.8 R1.9 R1.10 D2.7 D2.8 U1.5 D5.5 D5.6
		D5.7`)},
	{"cuts messages at 65,535 bytes", split(`1.1.7 1.1.8 1.2.7 1.2.8 10.1.1 F2.5 R1.1 R1.2 R1.3 R1.4 R1.5 R1.7 R1.8 R1.9 R1.10 D4.1 9.1.2 9.2.1
		9.3.5 9.5.3 U1.5 U1.6`)},
	{"closes after a message of more than 10,000 bytes", split(`1.1.6 1.1.7 1.1.8 1.2.6 1.2.7 1.2.8 10.1.1 G1.6 F2.5 R1.* D2.10 D2.20 9.1.2 9.2.1 9.3.5 9.5.3 U1.5
		U1.6 D5.10`)},
	{"echoes in two fragments that both have the opcode", split(`1.1.2 1.1.3 1.1.4 1.1.5 1.1.6 1.1.7 1.1.8 1.2.2 1.2.3 1.2.4 1.2.5 1.2.6 1.2.7 1.2.8 3.2 3.3 3.4
		4.1.3 4.1.4 4.1.5 4.2.3 4.2.4 4.2.5 5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.1.3 6.2.* 6.5.* 6.6.2
		6.6.5 6.6.7 6.6.9 6.6.11 6.7.2 6.7.3 6.7.4 6.9.2 6.9.3 6.9.4 6.11.1 6.11.2 6.11.3 6.11.4 6.22.*
		6.23.* 7.1.1 10.1.1 H1.* G1.1 G1.2 G1.3 G1.5 G1.6 M1.8 M3.* P1.8 P1.9 F1.1 F1.2 F1.3 F1.4 F1.5 F1.9
		F1.10 F1.11 F1.12 F1.14 F2.1 F2.4 F2.5 F2.6 F2.7 F2.8 R1.* D2.* D4.* N1.* N2.* W1.* W2.* W3.* 9.*
		12.* 13.* U1.* C1.* V1.3 V2.3 V2.4 O1.5 M5.2 L2.* P2.3 H5.* H7.* N4.* D5.*`)},
	{"writes every length in 64 bits", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H1.* G1.* M1.*
		M3.* L1.* K1.* K2.* K4.* P1.1 P1.3 P1.4 P1.7 P1.8 P1.9 F1.* F2.* R1.* D1.* D2.* D3.* D4.* N1.* N2.*
		W1.* W2.* W3.* 9.* 12.* 13.* U1.* U4.* C1.* V1.* V2.* O1.* M5.* L2.* K5.* P2.* H5.* H7.* N4.* D5.*`)},
	{"masks like the other side", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H1.* G1.* M1.*
		M3.* L1.* K1.* K2.* K4.* P1.1 P1.3 P1.4 P1.7 P1.8 P1.9 F1.* F2.* R1.* D1.* D2.* D3.* D4.* N1.* N2.*
		W1.* W2.* W3.* 9.* 12.* 13.* U1.* U4.* C1.* V1.* V2.* O1.* M5.* L2.* K5.* P2.* H5.* H7.* N4.* D5.*`)},
	{"answers Pongs", split("2.7 2.8 2.9")},
	{"does not answer Pings", split(`2.1 2.2 2.3 2.4 2.6 2.9 2.10 2.11 5.6 5.7 5.8 5.19 5.20 G1.4 G1.5 F1.4 F1.5 F1.10 F2.2 F2.8 R1.*
		D2.12 U1.5 U1.6 C1.1 O1.1 P2.4 D5.11`)},
	{"answers Pings without payload", split(`2.2 2.3 2.4 2.6 2.9 2.10 2.11 5.6 5.7 5.8 5.19 5.20 G1.4 G1.5 F1.4 F1.5 F1.10 F2.2 F2.8 R1.* D2.12
		U1.5 U1.6 C1.1 O1.1 P2.4 D5.11`)},
	{"answers Pings after the message", split("F1.5 C1.1")},
	{"ends a message at a Ping", split("5.6 5.7 5.8 5.19 5.20 F1.4 F1.5 F2.8 R1.* D2.12 D5.11")},
	{"takes the code 1015", split("K2.5")},
	{"refuses the codes 1012 to 1014", split("K1.1 K1.2 K1.3")},
	{"refuses the codes 3000 to 3999", split("7.7.10 7.7.11 K1.4 K1.5 K5.1")},
	{"takes a Close with one byte", split("7.3.2")},
	{"answers every Close with 1001", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.*
		6.6.2 6.6.5 6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2
		7.1.3 7.1.4 7.1.5 7.3.1 7.3.3 7.3.4 7.3.5 7.7.1 7.7.3 7.7.4 7.7.5 7.7.6 7.7.7 7.7.8 7.7.9 7.7.10
		7.7.11 7.7.12 7.7.13 10.1.1 H1.* G1.1 G1.2 G1.3 G1.4 G1.5 G1.6 M3.* K1.* K4.1 K4.2 K4.3 K4.4 K4.5
		P1.7 P1.8 P1.9 F1.1 F1.2 F1.3 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F1.14 F2.* R1.* D2.* D4.* N1.* N2.*
		W1.* W2.* W3.* 9.* 12.* 13.* U1.7 K5.1 P2.1 P2.2 P2.3 P2.4 H5.* H7.* N4.* D5.1 D5.2 D5.3 D5.4 D5.5
		D5.6 D5.7 D5.8 D5.9 D5.10 D5.11 D5.12`)},
	{"does not answer the Close", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.*
		6.6.2 6.6.5 6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2
		7.1.3 7.1.4 7.1.5 7.3.1 7.3.3 7.3.4 7.3.5 7.7.* 10.1.1 H1.* G1.1 G1.2 G1.3 G1.4 G1.5 G1.6 M3.* K1.*
		K4.1 K4.2 K4.3 K4.4 K4.5 P1.7 P1.8 P1.9 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F1.14 F2.* R1.* D2.* N1.*
		N2.* W1.* W2.* W3.* 9.* 12.* 13.* U1.7 K5.1 P2.1 P2.2 P2.3 P2.4 H5.* H7.* N4.* D5.1 D5.2 D5.3 D5.4
		D5.5 D5.6 D5.7 D5.8 D5.9 D5.10 D5.11 D5.12`)},
	{"goes on after the Close", split("7.1.3 7.1.4 7.1.5")},
	{"leaves TCP open after the Close", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.*
		6.6.2 6.6.5 6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2
		7.1.3 7.1.4 7.1.5 7.3.1 7.3.3 7.3.4 7.3.5 7.7.* 10.1.1 H1.* G1.1 G1.2 G1.3 G1.4 G1.5 G1.6 M3.* K1.*
		K4.1 K4.2 K4.3 K4.4 K4.5 P1.7 P1.8 P1.9 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F1.14 F2.* R1.* D2.* N1.*
		N2.* W1.* W2.* W3.* 9.* 12.* 13.* U1.7 K5.1 P2.1 P2.2 P2.3 P2.4 H5.* H7.* N4.* D5.1 D5.2 D5.3 D5.4
		D5.5 D5.6 D5.7 D5.8 D5.9 D5.10 D5.11 D5.12`)},
	{"fails with 1011", split(`2.5 3.* 4.* 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 5.18 6.3.* 6.4.* 6.6.1 6.6.3 6.6.4
		6.6.6 6.6.8 6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.1 6.16.* 6.17.* 6.18.* 6.19.*
		6.20.* 6.21.* 7.3.2 7.3.6 7.5.1 7.9.* G1.7 M1.* L1.* K2.* K4.6 K4.7 K4.8 K4.9 K4.10 P1.1 P1.3 P1.4
		F1.6 F1.7 F1.8 F1.13 D1.* D3.* U1.1 U1.2 U1.3 U1.4 U1.5 U1.6 U4.* C1.* V1.* V2.* O1.* M5.* L2.* K5.2
		P2.5 D5.13`)},
	{"never ends a failed connection", split(`2.5 3.* 4.* 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 5.18 6.3.* 6.4.* 6.6.1 6.6.3 6.6.4
		6.6.6 6.6.8 6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.1 6.16.* 6.17.* 6.18.* 6.19.*
		6.20.* 6.21.* 7.3.2 7.3.6 7.5.1 7.9.* G1.7 M1.* L1.1 L1.2 L1.3 L1.4 L1.5 L1.6 L1.7 L1.8 L1.9 L1.10
		L1.11 L1.12 K2.* K4.6 K4.7 K4.8 K4.9 K4.10 P1.1 P1.3 P1.4 F1.6 F1.7 F1.8 F1.13 D1.* D3.* U1.1 U1.2
		U1.3 U1.4 U1.5 U1.6 U4.* C1.* V1.* V2.* O1.* M5.* L2.* K5.2 P2.5 D5.13`)},
	{"puts plain messages into the window", split("D2.19")},
	{"forgets the peer's context", split(`D2.18 D2.19 D2.20 N2.1 N2.2 N2.3 N2.4 N2.5 N2.6 N2.7 N2.10 W1.8 W1.9 W1.10 W1.11 W1.12 W1.13 W1.14
		W2.8 W2.9 W2.10 W2.11 W2.12 W2.13 W2.14 W3.9 W3.11 W3.12 W3.13 W3.14 D5.4 D5.5 D5.6 D5.7 D5.8 D5.9
		D5.10 D5.11`)},
	{"takes its context over all the same", split("N2.4 N2.7 N2.9 N2.10 W2.9 W2.11 W2.12 W2.13 W2.14 13.2.* 13.5.* 13.6.* 13.7.*")},
	{"uses a larger window than agreed", split(`N2.3 N2.9 N2.10 W1.8 W1.9 W1.10 W1.11 W1.12 W1.13 W1.14 W2.8 W2.9 W2.10 W2.11 W2.12 13.3.* 13.5.5 13.5.11
		13.7.5 13.7.11`)},
	{"answers a wrong accept", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H1.* G1.* M1.*
		M3.* L1.* K1.* K2.* K4.* P1.* F1.* F2.* R1.* D1.* D2.* D3.* D4.* N1.* N2.* W1.* W2.* W3.* 9.* 12.*
		13.* U1.* U4.* C1.* V1.* V2.* O1.* M5.* L2.* K5.* P2.* H5.* H7.* N4.* D5.*`)},
	{"takes an unoffered subprotocol", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H1.* G1.* M1.*
		M3.* L1.* K1.* K2.* K4.* P1.* F1.* F2.* R1.* D1.* D2.* D3.* D4.* N1.* N2.* W1.* W2.* W3.* 9.* 12.*
		13.* U1.* U4.* C1.* V1.* V2.* O1.* M5.* L2.* K5.* P2.* H5.* H7.1 H7.2 H7.3 H7.4 H7.5 N4.* D5.*`)},
	{"echoes the offered extensions", split(`H1.18 H1.19 D1.13 D1.14 D1.15 D2.1 D2.2 D2.3 D2.4 D2.5 D2.6 D2.7 D2.8 D2.9 D2.10 D2.11 D2.12 D2.13
		D2.15 D2.17 D2.18 D2.19 D2.20 D4.* N1.* N2.* W1.* W2.* W3.* 12.* 13.* U1.3 U1.4 U1.6 V2.4 N4.* D5.*`)},
	{"loses what comes with the handshake", split("G1.*")},
	{"finds upgrade anywhere in Connection", split("H1.5 H2.12")},
	{"compares Connection as a whole", split("H1.3 H1.5 H5.8 H5.9 H5.10 H5.11 H5.12 H5.13")},
	{"compares Upgrade with its case", split("H1.1 H1.2 H5.2 H5.3 H5.4 H5.5 H5.6 H5.7")},
	{"takes any method", split("H2.1 H2.2 H6.1 H6.2 H6.3")},
	{"takes HTTP/1.0", split("H2.3")},
	{"does without Host", split("H2.4 H2.5")},
	{"takes any key", split("H2.13 H2.14 H2.15 H2.16 H2.17 H2.18 H2.19 H6.9 H6.10 H6.11 H6.12 H6.13 H6.14 H6.15 H6.16 H6.17 H6.18")},
	{"takes a body for frames", split("H2.34 H2.35")},
	{"takes any version", split("H2.20 H2.21 H2.22 H2.23 H2.24 H2.25 H2.26 H2.27 H2.28 H6.19 H6.20 H6.21 H6.22 H6.23 H6.24 H6.25")},
	{"does not say which version it speaks", split("H2.20 H2.21 H2.22 H2.23 H2.24 H2.25 H2.26 H2.27")},
	{"takes any offer", split("N1.* N4.*")},
	{"leaves out server_no_context_takeover", split("N2.4 N2.7 N2.9 W2.* 13.5.* 13.6.*")},
	{"leaves out server_max_window_bits", split(`N2.3 N2.9 W1.8 W1.9 W1.10 W1.11 W1.12 W1.13 W1.14 W2.8 W2.9 W2.10 W2.11 W2.12 W2.13 W2.14 13.3.*
		13.5.*`)},
	{"answers a larger window", split("N2.3 N2.9 W1.8 W1.9 W1.10 W1.11 W1.12 W1.13 W1.14 W2.8 W2.9 W2.10 W2.11 W2.12 W2.13 W2.14 13.3.* 13.5.*")},
	{"answers with a length", split("H7.1")},
	{"answers with a transfer encoding", split("H7.2")},
	{"answers that the connection is closed", split("H7.3")},
	{"answers an empty subprotocol", split("H7.5 H1.17 H7.6 H7.7")},
	{"answers the subprotocol twice", split("H7.6 H7.7 H1.17")},
	{"answers all subprotocols", split("H7.6 H7.7")},
	{"answers Upgrade twice", split("H7.4")},
	{"compares Upgrade as a whole", split("H5.2 H5.3 H5.4 H5.5 H5.6 H5.7")},
	{"takes the method in any case", split("H6.1 H6.2")},
	{"takes any HTTP version", split("H6.5 H6.7 H2.3")},
	{"refuses the absolute form", split("H5.1")},
	{"takes a fragment", split("H6.8")},
	{"takes a key in base64url", split("H6.9")},
	{"takes a key with more behind it", split("H6.10 H6.11 H6.16")},
	{"takes a key of 24 characters", split("H6.9 H6.12 H6.14 H2.15 H2.16")},
	{"does not trim tabs", split("H5.16 H1.13")},
	{"answers client_max_window_bits unasked", split("N2.1 N2.2 N2.3 N2.5 N2.7 N2.8 W1.* W2.*")},
})
