// Package fuzz holds the fuzz targets of frame, wsproto and handshake. The one of
// the chat's JSON stands beside it, in chat/fuzz_test.go.
//
// A target here never asks only whether the code panics. It holds what the code
// did against something that was written another way, slowly and plainly, from
// the text of the RFCs: a reader of frames, an inflater, a decoder of UTF-8, a
// receiver of whole streams, grammars of headers as regular expressions. It
// feeds every input whole, byte by byte and cut as the input itself says, which
// must make no difference, and it bounds what comes back and what was allocated
// by what went in.
//
// The package may know the exported names of the packages it attacks and nothing
// of what they keep to themselves; it holds tests only.
//
// What a run found stays, as a file in testdata/fuzz, and every "go test" tries it
// again. To look for more, one target at a time:
//
//	go test ./fuzz -run '^$' -fuzz '^FuzzServer$' -fuzztime 30s
//
// Read wire_test.go, utf8_test.go and inflate_test.go for the plain twins of the
// codecs, reference_test.go for the receiver made of them, and stream_test.go
// for how a connection is held against it. The other files are one target or
// two each.
package fuzz
