package faulty

import "strings"

// Defect is one thing that an endpoint does wrong.
type Defect struct {
	Name string
	// Caught are the patterns of the cases that find it, and no other does: a
	// verdict that --strict would not pass.
	Caught []string
}

// NoCompression is none: an endpoint may do without permessage-deflate.
const NoCompression = "does without compression"

// Different are none either: they are what an endpoint may do, though most do not.
// No case of our own fails for them. Caught are those that are NON-STRICT.
var Different = []Defect{
	{"sends a Pong unasked", nil},
	{"pings at once", nil},
	{"echoes from a task", nil},
	{"answers the last of several Pings", split("F1.4 F2.2 R1.* D2.12")},
	{"inflates what ends early", split("D1.3 D1.8")},
}

// DifferentServers are what servers may do beside.
var DifferentServers = []Defect{
	{"answers 200 where there is no upgrade", split("H2.1 H2.2 H2.3 H2.6 H2.7 H2.8 H2.9 H2.10 H2.11 H2.12")},
	{"redirects what it refuses", nil},
	{"takes a NUL for a space", nil},
	{"answers HTTP/2 in HTTP/2", nil},
	{"speaks version 8 as well", split("H2.22")},
	{"refuses an offer that must be declined", split("N1.* N2.1")},
}

func split(patterns string) []string { return strings.Fields(patterns) }

// Servers are the defects of servers.
var Servers = []Defect{
	{"takes any masking", split("M1.*")},
	{"ignores reserved bits", split(`3.1 3.2 3.3 3.4 3.5 3.6 D1.1 D1.2 D1.3 D1.4 D1.5 D1.6 D1.7 D1.8 D1.9 D1.10 D1.11 D1.12 D2.1 D2.2 D2.3 D2.4 D2.5
		D2.6 D2.7 D2.8 D2.9 D2.10 D2.11 D2.12 D2.13 D2.15 D2.17 D2.18 D2.19 D2.20 D3.1 D3.2 D3.3 D3.4 D3.5 D3.6 D3.7
		D3.8 D3.10 D3.11 D3.12 D3.13 D3.14 D4.* N2.* W1.* W2.* W3.* 12.* 13.*`)},
	{"ignores RSV2 and RSV3", split("3.1 3.2 3.3 D3.6 D3.7 D3.8")},
	{"takes RSV1 on any frame", split("D3.1 D3.2 D3.3 D3.4 D3.5 D3.14")},
	{"ignores reserved opcodes", split("4.* G1.7 P1.1 P1.3 P1.4")},
	{"takes fragmented control frames", split("5.1")},
	{"takes long control frames", split("2.5 7.3.6")},
	{"takes a continuation of nothing", split("5.9 5.10 5.11 5.17")},
	{"takes a message inside a message", split("5.18 F1.6 F1.7 F1.8")},
	{"takes every fragment for a message", split(`5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.18 5.19 5.20 6.1.2 6.1.3 6.2.2 6.2.3 6.2.4 6.4.1 6.4.2 7.1.5 10.1.1 M1.6 M3.5
		F1.1 F1.2 F1.3 F1.4 F1.5 F1.6 F1.7 F1.8 F1.9 F1.12 F1.14 F2.8 R1.* D2.11 D2.12 D2.13 D2.16 D2.17 D3.1 D3.2 D3.5
		D3.13 9.3.5 13.1.11 13.2.11 13.3.11 13.4.11 13.5.11 13.6.11 13.7.11`)},
	{"takes long forms of short lengths", split("L1.1 L1.2 L1.3 L1.4 L1.5 L1.6 L1.7")},
	{"reads 32 bits of a length", split("L1.4 L1.5 L1.6 L1.7 L1.10 L1.11 L1.14 L1.15")},
	{"unmasks with the message's first key", split(`5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.1.3 6.2.2 6.2.3 6.2.4 10.1.1 M3.5 F1.1 F1.2 F1.4 F1.5 F1.9 F1.12 F1.14
		F2.8 R1.* D2.11 D2.12 D2.13 D2.16 D2.17 9.3.5 13.1.11 13.2.11 13.3.11 13.4.11 13.5.11 13.6.11 13.7.11`)},
	{"does not check UTF-8", split(`6.3.* 6.4.* 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8 6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.1 6.16.* 6.17.*
		6.18.* 6.19.* 6.20.* 6.21.* F1.13 D1.13 D1.14 D1.15`)},
	{"checks UTF-8 at the end", split("6.4.*")},
	{"reorders fragments", split("5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.2.2 6.2.3 6.2.4 M3.5 F1.4 F1.5 F1.9 F1.12 F1.14 F2.8 R1.* D2.16")},
	{"echoes text as binary", split(`1.1.* 3.2 3.3 3.4 4.1.3 4.1.4 4.1.5 4.2.3 4.2.4 4.2.5 5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.1.* 6.2.* 6.5.*
		6.6.2 6.6.5 6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 10.1.1 H1.* G1.1
		G1.2 G1.3 G1.5 G1.6 M1.8 M3.1 M3.2 M3.3 M3.4 M3.5 P1.8 P1.9 F1.1 F1.2 F1.3 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12
		F2.1 F2.4 F2.6 F2.7 F2.8 R1.* D2.* N1.* N2.* 9.1.2 9.3.5 9.5.3 9.7.2 12.1.* 12.4.* 13.*`)},
	{"drops empty messages", split("1.1.1 1.2.1 6.1.1 6.1.2 M3.6 F2.3 R1.1 R1.2 R1.4 R1.5 R1.7 R1.8 R1.9 R1.10 D2.7 D2.8")},
	{"cuts messages at 65,535 bytes", split(`1.1.7 1.1.8 1.2.7 1.2.8 10.1.1 F2.5 R1.1 R1.2 R1.3 R1.4 R1.5 R1.7 R1.8 R1.9 R1.10 D4.1 9.1.2 9.2.1 9.3.5 9.5.3`)},
	{"closes after a message of more than 10,000 bytes", split(`1.1.6 1.1.7 1.1.8 1.2.6 1.2.7 1.2.8 10.1.1 G1.6 F2.5 R1.* D2.10 D2.20 9.1.2 9.2.1 9.3.5 9.5.3`)},
	{"echoes in two fragments that both have the opcode", split(`1.1.2 1.1.3 1.1.4 1.1.5 1.1.6 1.1.7 1.1.8 1.2.2 1.2.3 1.2.4 1.2.5 1.2.6 1.2.7 1.2.8 3.2 3.3 3.4 4.1.3 4.1.4
		4.1.5 4.2.3 4.2.4 4.2.5 5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.1.3 6.2.* 6.5.* 6.6.2 6.6.5 6.6.7 6.6.9 6.6.11
		6.7.2 6.7.3 6.7.4 6.9.2 6.9.3 6.9.4 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 10.1.1 H1.* G1.1 G1.2 G1.3
		G1.5 G1.6 M1.8 M3.* P1.8 P1.9 F1.1 F1.2 F1.3 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F1.14 F2.1 F2.4 F2.5 F2.6 F2.7
		F2.8 R1.* D2.* D4.* N1.* N2.* W1.* W2.* W3.* 9.* 12.* 13.*`)},
	{"writes every length in 64 bits", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H1.* G1.* M1.* M3.* L1.*
		K1.* K2.* K4.* P1.1 P1.3 P1.4 P1.7 P1.8 P1.9 F1.* F2.* R1.* D1.* D2.* D3.* D4.* N1.* N2.* W1.* W2.* W3.* 9.*
		12.* 13.*`)},
	{"masks like the other side", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H1.* G1.* M1.* M3.* L1.*
		K1.* K2.* K4.* P1.1 P1.3 P1.4 P1.7 P1.8 P1.9 F1.* F2.* R1.* D1.* D2.* D3.* D4.* N1.* N2.* W1.* W2.* W3.* 9.*
		12.* 13.*`)},
	{"answers Pongs", split("2.7 2.8 2.9")},
	{"does not answer Pings", split("2.1 2.2 2.3 2.4 2.6 2.9 2.10 2.11 5.6 5.7 5.8 5.19 5.20 G1.4 G1.5 F1.4 F1.5 F1.10 F2.2 F2.8 R1.* D2.12")},
	{"answers Pings without payload", split("2.2 2.3 2.4 2.6 2.9 2.10 2.11 5.6 5.7 5.8 5.19 5.20 G1.4 G1.5 F1.4 F1.5 F1.10 F2.2 F2.8 R1.* D2.12")},
	{"answers Pings after the message", split("F1.5")},
	{"ends a message at a Ping", split("5.6 5.7 5.8 5.19 5.20 F1.4 F1.5 F2.8 R1.* D2.12")},
	{"takes any close code", split("7.9.* K2.*")},
	{"takes the code 1015", split("K2.5")},
	{"refuses the codes 1012 to 1014", split("K1.1 K1.2 K1.3")},
	{"refuses the codes 3000 to 3999", split("7.7.10 7.7.11 K1.4 K1.5")},
	{"takes a Close with one byte", split("7.3.2")},
	{"takes any close reason", split("7.5.1 K4.6 K4.7 K4.8 K4.9 K4.10")},
	{"answers an empty Close with 1005", split("7.3.1")},
	{"answers every Close with 1001", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.* 6.6.2 6.6.5
		6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.1
		7.3.3 7.3.4 7.3.5 7.7.1 7.7.3 7.7.4 7.7.5 7.7.6 7.7.7 7.7.8 7.7.9 7.7.10 7.7.11 7.7.12 7.7.13 10.1.1 H1.* G1.1
		G1.2 G1.3 G1.4 G1.5 G1.6 M3.* K1.* K4.1 K4.2 K4.3 K4.4 K4.5 P1.7 P1.8 P1.9 F1.1 F1.2 F1.3 F1.4 F1.5 F1.9 F1.10
		F1.11 F1.12 F1.14 F2.* R1.* D2.* D4.* N1.* N2.* W1.* W2.* W3.* 9.* 12.* 13.*`)},
	{"does not answer the Close", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.* 6.6.2 6.6.5
		6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.1
		7.3.3 7.3.4 7.3.5 7.7.* 10.1.1 H1.* G1.1 G1.2 G1.3 G1.4 G1.5 G1.6 M3.* K1.* K4.1 K4.2 K4.3 K4.4 K4.5 P1.7 P1.8
		P1.9 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F1.14 F2.* R1.* D2.* N1.* N2.* W1.* W2.* W3.* 9.* 12.* 13.*`)},
	{"goes on after the Close", split("7.1.3 7.1.4 7.1.5")},
	{"leaves TCP open after the Close", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.* 6.6.2 6.6.5
		6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.1
		7.3.3 7.3.4 7.3.5 7.7.* 10.1.1 H1.* G1.1 G1.2 G1.3 G1.4 G1.5 G1.6 M3.* K1.* K4.1 K4.2 K4.3 K4.4 K4.5 P1.7 P1.8
		P1.9 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F1.14 F2.* R1.* D2.* N1.* N2.* W1.* W2.* W3.* 9.* 12.* 13.*`)},
	{"fails with 1011", split(`2.5 3.* 4.* 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 5.18 6.3.* 6.4.* 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8
		6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.1 6.16.* 6.17.* 6.18.* 6.19.* 6.20.* 6.21.* 7.3.2 7.3.6
		7.5.1 7.9.* G1.7 M1.* L1.* K2.* K4.6 K4.7 K4.8 K4.9 K4.10 P1.1 P1.3 P1.4 F1.6 F1.7 F1.8 F1.13 D1.* D3.*`)},
	{"never ends a failed connection", split(`2.5 3.* 4.* 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 5.18 6.3.* 6.4.* 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8
		6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.1 6.16.* 6.17.* 6.18.* 6.19.* 6.20.* 6.21.* 7.3.2 7.3.6
		7.5.1 7.9.* G1.7 M1.* L1.1 L1.2 L1.3 L1.4 L1.5 L1.6 L1.7 L1.8 L1.9 L1.10 L1.11 L1.12 K2.* K4.6 K4.7 K4.8 K4.9
		K4.10 P1.1 P1.3 P1.4 F1.6 F1.7 F1.8 F1.13 D1.* D3.*`)},
	{"delivers what it could inflate", split("D1.1 D1.2 D1.3 D1.4 D1.5 D1.6 D1.7 D1.8 D1.9 D1.10 D1.11 D1.12")},
	{"puts plain messages into the window", split("D2.19")},
	{"forgets the peer's context", split(`D2.18 D2.19 D2.20 N2.1 N2.2 N2.3 N2.4 N2.5 N2.6 N2.7 N2.10 W1.8 W1.9 W1.10 W1.11 W1.12 W1.13 W1.14 W2.8 W2.9
		W2.10 W2.11 W2.12 W2.13 W2.14 W3.9 W3.11 W3.12 W3.13 W3.14`)},
	{"takes its context over all the same", split("N2.4 N2.7 N2.9 N2.10 W2.9 W2.11 W2.12 W2.13 W2.14 13.2.* 13.5.* 13.6.* 13.7.*")},
	{"uses a larger window than agreed", split(`N2.3 N2.9 N2.10 W1.8 W1.9 W1.10 W1.11 W1.12 W1.13 W1.14 W2.8 W2.9 W2.10 W2.11 W2.12 13.3.* 13.5.5 13.5.11
		13.7.5 13.7.11`)},
	{"answers a wrong accept", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H1.* G1.* M1.* M3.* L1.*
		K1.* K2.* K4.* P1.* F1.* F2.* R1.* D1.* D2.* D3.* D4.* N1.* N2.* W1.* W2.* W3.* 9.* 12.* 13.*`)},
	{"takes an unoffered subprotocol", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H1.* G1.* M1.* M3.* L1.*
		K1.* K2.* K4.* P1.* F1.* F2.* R1.* D1.* D2.* D3.* D4.* N1.* N2.* W1.* W2.* W3.* 9.* 12.* 13.*`)},
	{"echoes the offered extensions", split(`H1.18 H1.19 D1.13 D1.14 D1.15 D2.1 D2.2 D2.3 D2.4 D2.5 D2.6 D2.7 D2.8 D2.9 D2.10 D2.11 D2.12 D2.13 D2.15 D2.17
		D2.18 D2.19 D2.20 D4.* N1.* N2.* W1.* W2.* W3.* 12.* 13.*`)},
	{"loses what comes with the handshake", split("G1.*")},
	{"finds upgrade anywhere in Connection", split("H1.5 H2.12")},
	{"compares Connection as a whole", split("H1.3 H1.5")},
	{"compares Upgrade with its case", split("H1.1 H1.2")},
	{"takes any method", split("H2.1 H2.2")},
	{"takes HTTP/1.0", split("H2.3")},
	{"does without Host", split("H2.4 H2.5")},
	{"takes any key", split("H2.13 H2.14 H2.15 H2.16 H2.17 H2.18 H2.19")},
	{"takes a body for frames", split("H2.34 H2.35")},
	{"takes any version", split("H2.20 H2.21 H2.22 H2.23 H2.24 H2.25 H2.26 H2.27 H2.28")},
	{"does not say which version it speaks", split("H2.20 H2.21 H2.22 H2.23 H2.24 H2.25 H2.26 H2.27")},
	{"takes any offer", split("N1.*")},
	{"leaves out server_no_context_takeover", split("N2.4 N2.7 N2.9 W2.* 13.5.* 13.6.*")},
	{"leaves out server_max_window_bits", split("N2.3 N2.9 W1.* W2.* 13.3.* 13.4.* 13.5.* 13.6.*")},
	{"answers a larger window", split("N2.3 N2.9 W1.8 W1.9 W1.10 W1.11 W1.12 W1.13 W1.14 W2.8 W2.9 W2.10 W2.11 W2.12 W2.13 W2.14 13.3.* 13.5.*")},
	{"answers client_max_window_bits unasked", split("N2.1 N2.2 N2.3 N2.5 N2.7 N2.8 W1.* W2.*")},
}

// Clients are the defects of clients.
var Clients = []Defect{
	{"takes any masking", split("M2.*")},
	{"ignores reserved bits", split(`3.1 3.2 3.3 3.4 3.5 3.6 D1.1 D1.2 D1.3 D1.4 D1.5 D1.6 D1.7 D1.8 D1.9 D1.10 D1.11 D1.12 D2.1 D2.2 D2.3 D2.4 D2.5
		D2.6 D2.7 D2.8 D2.9 D2.10 D2.11 D2.12 D2.13 D2.15 D2.17 D2.18 D2.19 D2.20 D3.1 D3.2 D3.3 D3.4 D3.5 D3.6 D3.7
		D3.8 D3.10 D3.11 D3.12 D3.13 D3.14 D4.* W4.* W5.* 12.* 13.*`)},
	{"takes RSV1 on any frame", split("D3.1 D3.2 D3.3 D3.4 D3.5 D3.14")},
	{"ignores reserved opcodes", split("4.* G2.7 P1.2")},
	{"takes fragmented control frames", split("5.1")},
	{"takes a continuation of nothing", split("5.9 5.10 5.11 5.17")},
	{"takes long forms of short lengths", split("L1.1 L1.2 L1.3 L1.4 L1.5 L1.6 L1.7")},
	{"reads 32 bits of a length", split("L1.4 L1.5 L1.6 L1.7 L1.10 L1.11 L1.14 L1.15")},
	{"does not check UTF-8", split(`6.3.* 6.4.* 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8 6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.1 6.16.* 6.17.*
		6.18.* 6.19.* 6.20.* 6.21.* F1.13 D1.13 D1.14 D1.15`)},
	{"checks UTF-8 at the end", split("6.4.*")},
	{"reorders fragments", split("5.3 5.4 5.5 5.6 5.7 5.8 5.15 5.19 5.20 6.2.2 6.2.3 6.2.4 F1.4 F1.5 F1.9 F1.12 F1.14 F2.8 R1.* D2.16")},
	{"drops empty messages", split("1.1.1 1.2.1 6.1.1 6.1.2 F2.3 R1.1 R1.2 R1.4 R1.5 R1.7 R1.8 R1.9 R1.10 D2.7 D2.8")},
	{"masks like the other side", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.1 7.3.3 7.3.4 7.3.5 7.7.* 10.1.1 H3.* G2.* M2.* M4.1
		L1.* K1.* K2.* K4.* P1.2 P1.8 P1.9 P1.10 P1.11 P1.12 P1.13 F1.* F2.* R1.* D1.* D2.* D3.* D4.* W4.* W5.* 9.*
		12.* 13.*`)},
	{"masks with one key", split("M4.1")},
	{"counts its masking keys", split("M4.1")},
	{"does not answer Pings", split("2.1 2.2 2.3 2.4 2.6 2.9 2.10 2.11 5.6 5.7 5.8 5.19 5.20 G2.4 G2.5 F1.4 F1.5 F1.10 F2.2 F2.8 R1.* D2.12")},
	{"takes any close code", split("7.9.* K2.*")},
	{"takes any close reason", split("7.5.1 K4.6 K4.7 K4.8 K4.9 K4.10")},
	{"answers an empty Close with 1005", split("7.3.1")},
	{"answers every Close with 1001", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.* 6.6.2 6.6.5
		6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.1
		7.3.3 7.3.4 7.3.5 7.7.1 7.7.3 7.7.4 7.7.5 7.7.6 7.7.7 7.7.8 7.7.9 7.7.10 7.7.11 7.7.12 7.7.13 10.1.1 H3.* G2.1
		G2.2 G2.3 G2.4 G2.5 G2.6 M4.1 K1.* K4.1 K4.2 K4.3 K4.4 K4.5 P1.8 P1.9 P1.10 P1.12 P1.13 F1.1 F1.2 F1.3 F1.4
		F1.5 F1.9 F1.10 F1.11 F1.12 F1.14 F2.* R1.* D2.* D4.* W4.* W5.* 9.* 12.* 13.*`)},
	{"does not answer the Close", split(`1.* 2.1 2.2 2.3 2.4 2.6 2.7 2.8 2.9 2.10 2.11 5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.* 6.2.* 6.5.* 6.6.2 6.6.5
		6.6.7 6.6.9 6.6.11 6.7.* 6.9.* 6.11.1 6.11.2 6.11.3 6.11.4 6.22.* 6.23.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.1
		7.3.3 7.3.4 7.3.5 7.7.* 10.1.1 H3.* G2.1 G2.2 G2.3 G2.4 G2.5 G2.6 M4.1 K1.* K4.1 K4.2 K4.3 K4.4 K4.5 P1.8 P1.9
		P1.10 P1.11 P1.12 P1.13 F1.4 F1.5 F1.9 F1.10 F1.11 F1.12 F1.14 F2.* R1.* D2.* W4.* W5.* 9.* 12.* 13.*`)},
	{"fails with 1011", split(`2.5 3.* 4.* 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 5.18 6.3.* 6.4.* 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8
		6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.1 6.16.* 6.17.* 6.18.* 6.19.* 6.20.* 6.21.* 7.3.2 7.3.6
		7.5.1 7.9.* G2.7 M2.* L1.* K2.* K4.6 K4.7 K4.8 K4.9 K4.10 P1.2 F1.6 F1.7 F1.8 F1.13 D1.* D3.*`)},
	{"never ends a failed connection", split("P1.2")},
	{"delivers what it could inflate", split("D1.1 D1.2 D1.3 D1.4 D1.5 D1.6 D1.7 D1.8 D1.9 D1.10 D1.11 D1.12")},
	{"forgets the peer's context", split(`D2.18 D2.19 D2.20 W4.8 W4.9 W4.10 W4.11 W4.12 W4.13 W4.14 W5.8 W5.9 W5.10 W5.11 W5.12 W5.13 W5.14 12.1.* 12.3.*
		12.4.* 13.*`)},
	{"takes its context over all the same", split("W5.9 W5.11 W5.12 W5.13 W5.14 13.2.* 13.5.* 13.6.* 13.7.*")},
	{"uses a larger window than agreed", split(`W4.8 W4.9 W4.10 W4.11 W4.12 W4.13 W4.14 W5.8 W5.9 W5.10 W5.11 W5.12 13.3.* 13.5.5 13.5.11 13.7.5 13.7.11`)},
	{"sends no version", split(`1.* 2.* 3.* 4.* 5.* 6.* 7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.* 7.5.1 7.7.* 7.9.* 10.1.1 H3.* H4.* G2.* M2.* M4.1
		L1.* K1.* K2.* K4.* P1.* F1.* F2.* R1.* D1.* D2.* D3.* D4.* N3.* W4.* W5.* 9.* 12.* 13.*`)},
	{"offers a window of 16 bits", split("H3.3 D1.* D2.* D3.1 D3.2 D3.3 D3.4 D3.5 D3.6 D3.7 D3.8 D3.9 D3.14 D4.* W4.* W5.* 12.* 13.*")},
	{"sends before it has an answer", split("H3.4")},
	{"takes any HTTP version", split("H4.21")},
	{"takes any status", split("H4.1 H4.2 H4.3 H4.4 H4.5 H4.6 H4.7")},
	{"does not look at Upgrade", split("H4.8 H4.9 H4.10")},
	{"does not look at Connection", split("H4.11 H4.12 H4.13")},
	{"does not look at the accept", split("H4.14 H4.15 H4.16 H4.17 H4.18")},
	{"compares the accept without its case", split("H4.17")},
	{"takes any subprotocol", split("H4.19")},
	{"takes any extension", split("H4.20 N3.*")},
}
