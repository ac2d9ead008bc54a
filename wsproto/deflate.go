package wsproto

// Deflate is what permessage-deflate was agreed on (RFC 7692 §7.1).
type Deflate struct {
	// ServerNoContextTakeover and ClientNoContextTakeover: that side compresses
	// each message by itself.
	ServerNoContextTakeover bool
	ClientNoContextTakeover bool

	// ServerMaxWindowBits and ClientMaxWindowBits: that side refers back by at
	// most 1<<bits bytes; 8 to 15. 0 means 15, as without the parameter.
	ServerMaxWindowBits uint8
	ClientMaxWindowBits uint8
}
