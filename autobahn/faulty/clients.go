package faulty

import "slices"

// Clients are the defects of clients.
var Clients = slices.Concat(receivers, []Defect{
	{"takes any masking", split("M2.* M6.*")},
	{"ignores reserved bits", split(`3.1 3.2 3.3 3.4 3.5 3.6 D1.1 D1.2 D1.3 D1.4 D1.5 D1.6 D1.7 D1.8 D1.9 D1.10 D1.11 D1.12 D2.1 D2.2
		D2.3 D2.4 D2.5 D2.6 D2.7 D2.8 D2.9 D2.10 D2.11 D2.12 D2.13 D2.15 D2.17 D2.18 D2.19 D2.20 D3.1 D3.2
		D3.3 D3.4 D3.5 D3.6 D3.7 D3.8 D3.10 D3.11 D3.12 D3.13 D3.14 D4.* W4.* W5.* 12.* 13.* U1.3 U1.4 V1.*
		V2.* D5.*`)},
	{"ignores reserved opcodes", split("4.* G2.7 P1.2 O1.1 O1.2 O1.3 P2.5")},
	{"takes any masking of empty frames", split("M2.2 M6.*")},
	{"takes any masking of control frames", split("M2.4 M2.5 M2.9 M6.2")},
	{"takes any masking of continuations", split("M2.6 M6.3")},
	{"takes any masking after the first message", split("M2.6 M2.8 M6.*")},
	{"takes any masking after ten messages", split("M6.1 M6.2")},
	{"repeats the byte at 4,096", split(`B1.1 B2.* R1.* W4.* W5.* D5.10 9.1.2 9.2.1 9.5.3 12.4.5 13.1.11 13.2.11 13.3.11 13.4.11 13.5.11
		13.6.11 13.7.11`)},
	{"loses Pings after 100 at once", split("B1.4 B1.5 M7.1")},
	{"refuses codes above 4095", split("K5.1 7.7.13 K1.7 P1.13")},
	{"sends a second Close", split("P2.*")},
	{"sends a message behind the Close", split("P2.* P1.2")},
	{"takes a parameter twice", split("N3.8 N3.10 N5.*")},
	{"takes a parameter with an empty value", split("N3.3 N5.1 N5.3 N5.4")},
	{"takes a value of a parameter that has none", split("N3.7 N5.3 N5.4")},
	{"passes over unknown parameters", split("N3.9 N5.* N6.13 N6.14")},
	{"takes a quote alone", split("N5.1 N5.2")},
	{"takes a number with more behind it", split("N5.1 N5.2")},
	{"takes a sign", split("N5.1 N5.2")},
	{"takes leading zeros", split("N5.1 N5.2")},
	{"takes a window of 16 bits", split("N3.2 N3.6 N5.1 N5.2")},
	{"reorders fragments", split(`5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.2.2 6.2.3 6.2.4 F1.4 F1.5 F1.9 F1.12 F1.14 F2.8 R1.* D2.16
		U1.2 U1.7 O1.5`)},
	{"drops empty messages", split("1.1.1 1.2.1 6.1.1 6.1.2 F2.3 R1.1 R1.2 R1.4 R1.5 R1.7 R1.8 R1.9 R1.10 D2.7 D2.8 U1.5 D5.5 D5.6 D5.7")},
	{"masks like the other side", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.1 7.3.3 7.3.4 7.3.5 7.7.* 10.1.1 H3.* G2.*
		M2.* M4.1 L1.* K1.* K2.* K4.* P1.2 P1.8 P1.9 P1.10 P1.11 P1.12 P1.13 F1.* F2.* R1.* D1.* D2.* D3.*
		D4.* W4.* W5.* 9.* 12.* 13.* U1.* U4.* C1.* V1.* V2.* O1.* M6.* L2.* M7.* K5.* P2.* H8.* H10.* N6.1
		N6.2 N6.3 N6.4 N6.5 N6.6 D5.*`)},
	{"masks with one key", split("M4.1 M7.*")},
	{"counts its masking keys", split("M4.1 M7.*")},
	{"does not answer Pings", split(`2.1 2.2 2.3 2.4 2.6 2.9 2.10 2.11 5.6 5.7 5.8 5.19 5.20 G2.4 G2.5 F1.4 F1.5 F1.10 F2.2 F2.8 R1.*
		D2.12 U1.5 U1.6 C1.1 O1.1 M7.1 P2.4 D5.11`)},
	{"answers every Close with 1001", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.*
		6.6.2 6.6.5 6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2
		7.1.3 7.1.4 7.1.5 7.3.1 7.3.3 7.3.4 7.3.5 7.7.1 7.7.3 7.7.4 7.7.5 7.7.6 7.7.7 7.7.8 7.7.9 7.7.10
		7.7.11 7.7.12 7.7.13 10.1.1 H3.* G2.1 G2.2 G2.3 G2.4 G2.5 G2.6 M4.1 K1.* K4.1 K4.2 K4.3 K4.4 K4.5
		P1.8 P1.9 P1.10 P1.12 P1.13 F1.1 F1.2 F1.3 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F1.14 F2.* R1.* D2.*
		D4.* W4.* W5.* 9.* 12.* 13.* U1.7 M7.* K5.1 P2.1 P2.2 P2.3 P2.4 H8.* H10.* N6.1 N6.2 N6.3 N6.4 N6.5
		N6.6 D5.1 D5.2 D5.3 D5.4 D5.5 D5.6 D5.7 D5.8 D5.9 D5.10 D5.11 D5.12`)},
	{"does not answer the Close", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.*
		6.6.2 6.6.5 6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2
		7.1.3 7.1.4 7.1.5 7.3.1 7.3.3 7.3.4 7.3.5 7.7.* 10.1.1 H3.* G2.1 G2.2 G2.3 G2.4 G2.5 G2.6 M4.1 K1.*
		K4.1 K4.2 K4.3 K4.4 K4.5 P1.8 P1.9 P1.10 P1.11 P1.12 P1.13 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F1.14
		F2.* R1.* D2.* W4.* W5.* 9.* 12.* 13.* U1.7 M7.* K5.1 P2.1 P2.2 P2.3 P2.4 H8.* H10.* N6.1 N6.2 N6.3
		N6.4 N6.5 N6.6 D5.1 D5.2 D5.3 D5.4 D5.5 D5.6 D5.7 D5.8 D5.9 D5.10 D5.11 D5.12`)},
	{"fails with 1011", split(`2.5 3.* 4.* 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 5.18 6.3.* 6.4.* 6.6.1 6.6.3 6.6.4
		6.6.6 6.6.8 6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.1 6.16.* 6.17.* 6.18.* 6.19.*
		6.20.* 6.21.* 7.3.2 7.3.6 7.5.1 7.9.* G2.7 M2.* L1.* K2.* K4.6 K4.7 K4.8 K4.9 K4.10 P1.2 F1.6 F1.7
		F1.8 F1.13 D1.* D3.* U1.1 U1.2 U1.3 U1.4 U1.5 U1.6 U4.* C1.* V1.* V2.* O1.* M6.* L2.* K5.2 P2.5
		D5.13`)},
	{"never ends a failed connection", split("P1.2")},
	{"forgets the peer's context", split(`D2.18 D2.19 D2.20 W4.8 W4.9 W4.10 W4.11 W4.12 W4.13 W4.14 W5.8 W5.9 W5.10 W5.11 W5.12 W5.13 W5.14
		12.1.* 12.3.* 12.4.* 13.* D5.4 D5.5 D5.6 D5.7 D5.8 D5.9 D5.10 D5.11`)},
	{"takes its context over all the same", split("W5.9 W5.11 W5.12 W5.13 W5.14 13.2.* 13.5.* 13.6.* 13.7.*")},
	{"uses a larger window than agreed", split(`W4.8 W4.9 W4.10 W4.11 W4.12 W4.13 W4.14 W5.8 W5.9 W5.10 W5.11 W5.12 13.3.* 13.5.5 13.5.11 13.7.5 13.7.11`)},
	{"sends no version", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H3.* H4.* G2.*
		M2.* M4.1 L1.* K1.* K2.* K4.* P1.* F1.* F2.* R1.* D1.* D2.* D3.* D4.* N3.* W4.* W5.* 9.* 12.* 13.*
		U1.* U4.* C1.* V1.* V2.* O1.* M6.* L2.* M7.* K5.* P2.* H8.* H9.* H10.* N5.* N6.* D5.*`)},
	{"offers a window of 16 bits", split(`H3.3 D1.* D2.* D3.1 D3.2 D3.3 D3.4 D3.5 D3.6 D3.7 D3.8 D3.9 D3.14 D4.* W4.* W5.* 12.* 13.* U1.3 U1.4
		U1.6 V2.* O1.3 D5.*`)},
	{"sends before it has an answer", split("H3.4")},
	{"takes any HTTP version", split("H4.21")},
	{"takes any status", split("H4.1 H4.2 H4.3 H4.4 H4.5 H4.6 H4.7 H9.21 H9.22 H9.23")},
	{"does not look at Upgrade", split("H4.8 H4.9 H4.10 H9.19 H9.20")},
	{"does not look at Connection", split("H4.11 H4.12 H4.13")},
	{"does not look at the accept", split(`H4.14 H4.15 H4.16 H4.17 H4.18 H9.1 H9.2 H9.3 H9.4 H9.5 H9.6 H9.7 H9.8 H9.9 H9.10 H9.11 H9.12 H9.13
		H9.14 H9.15 H9.16`)},
	{"compares the accept without its case", split("H4.17")},
	{"takes any subprotocol", split("H4.19 H9.17 H9.18")},
	{"masks Pongs with one key", split("M7.1")},
	{"masks Closes with one key", split("M7.2")},
	{"masks binary frames with one key", split("M7.1")},
	{"masks with one byte", split("M7.* M4.1")},
	{"takes turns with two masking keys", split("M7.* M4.1")},
	{"uses each masking key twice", split("M7.1 M4.1")},
	{"leaves a byte of its masking keys zero", split("M7.1")},
	{"uses one Sec-WebSocket-Key", split("H10.4")},
	{"sends Host without its port", split("H10.2")},
	{"sends the fragment", split("H10.1")},
	{"offers a window with a leading zero", split(`H3.3 D1.* D2.* D3.1 D3.2 D3.3 D3.4 D3.5 D3.6 D3.7 D3.8 D3.9 D3.14 D4.* W4.* W5.* U1.3 U1.4 U1.6 V2.*
		O1.3 D5.* 12.* 13.*`)},
	{"takes a larger window than it offered", split("N6.2 N6.3 N6.4")},
	{"takes an answer that ignores its offer", split(`N6.1 N6.3 N6.4 N6.5 D2.18 D2.19 D2.20 W4.* W5.* D5.4 D5.5 D5.6 D5.7 D5.8 D5.9 D5.10 D5.11 13.3.*
		13.4.* 13.5.* 13.6.*`)},
	{"takes a window that it did not offer", split("N6.1 W4.* W5.* 13.3.* 13.4.* 13.5.* 13.6.*")},
	{"takes a second extension", split("N6.7 N6.8 N6.9 N6.10 N6.11 N6.12 N3.11")},
	{"looks at two digits of the status", split("H9.21 H9.22")},
	{"takes an empty subprotocol", split("H9.17")},
	{"takes a subprotocol twice", split("H9.18")},
	{"finds websocket anywhere in Upgrade", split("H9.19 H9.20 H4.10")},
	{"compares 20 characters of the accept", split("H9.3 H9.4 H9.5 H9.6 H9.7 H9.8 H9.9 H9.10 H9.13 H9.14 H9.16")},
	{"compares the accept without its last character", split("H9.7 H9.8")},
	{"takes more behind the accept", split("H9.8 H9.9 H9.10 H9.13 H9.14 H9.16")},
	{"looks at the first accept", split("H9.13 H9.14")},
	{"looks at the last accept", split("H9.13 H9.15")},
	{"reads a body behind 101", split("H8.2")},
	{"takes any extension", split("H4.20 N3.* N5.* N6.7 N6.8 N6.9 N6.10 N6.11 N6.12 N6.13 N6.14 N6.15")},
})
