package faulty

import "strings"

// Defect is one thing that an endpoint does wrong.
type Defect struct {
	Name string
	// Caught are the patterns of the cases that find it, with a verdict that
	// --strict would not pass. No other case finds it.
	Caught []string
}

// NoCompression is not a defect: an endpoint need not support permessage-deflate.
const NoCompression = "does without compression"

// Different are not defects either: an endpoint may do these things, though most
// do not. No case of our own fails for them. Caught are the cases that are
// NON-STRICT.
var Different = []Defect{
	{"sends a Pong unasked", nil},
	{"pings at once", nil},
	{"echoes from a task", nil},
	{"answers the last of several Pings", split("F1.4 F2.2 R1.* R2.* R3.* D2.12 B1.1 B1.4 B1.5 M7.1")},
	{"inflates what ends early", split("D1.3 D1.8")},
}

// DifferentServers are further things that only servers may do.
var DifferentServers = []Defect{
	{"answers 200 where there is no upgrade", split("H2.1 H2.2 H2.3 H2.6 H2.7 H2.8 H2.9 H2.10 H2.11 H2.12 H6.1 H6.2 H6.3 H6.5")},
	{"redirects what it refuses", nil},
	{"takes a NUL for a space", nil},
	{"answers HTTP/2 in HTTP/2", nil},
	{"speaks version 8 as well", split("H2.22")},
	{"refuses an offer that must be declined", split("N1.* N2.1 N4.*")},
}

func split(patterns string) []string { return strings.Fields(patterns) }
