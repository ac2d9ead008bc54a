// Package frame is the wire codec of RFC 6455 §5: frame headers and masking.
//
// It is for programs that handle frames themselves: proxies, testers, tools that show what is
// on the wire. Package wsproto makes a connection of frames, and packages wsproto/wsconn and
// server add the network.
//
// A received frame is a header, then Length bytes of payload:
//
//	h, n, err := frame.ParseHeader(b)
//	switch {
//	case err != nil:
//		return err // illegal on any connection: fail it with 1002
//	case n == 0:
//		return nil // b ends inside the header
//	}
//	payload := b[n : n+int(h.Length)] // check first that b is that long, and that the frame is acceptable
//	if h.Masked {
//		frame.Mask(payload, h.Key)
//	}
//
// A frame to be sent is built by [Header.Append], then its payload, masked in place by [Mask] if a
// client sends it.
//
// The package knows one frame at a time and nothing about connections. Which frames may
// follow one another, how large a message may be, and which reserved bits an extension
// uses, is for its callers to check. It keeps no slice that it is given and allocates
// nothing, except that Append may grow its destination. Its functions may be called
// from any goroutine.
package frame
