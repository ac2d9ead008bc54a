package wsconn

import (
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// DefaultCloseTimeout is Options.CloseTimeout's default.
const DefaultCloseTimeout = 5 * time.Second

// Options configure a connection, in both roles. The zero value means the defaults.
// AcceptOptions and DialOptions have the same fields; New takes only these.
type Options struct {
	// MaxMessage is the maximum size of a received message in bytes, uncompressed.
	// Default 64 KiB. Conn.SetMaxMessage changes it later.
	MaxMessage int

	// MaxFragments is the maximum number of frames in a received message. Default
	// 1,024, but no limit with Stream; a negative value means no limit.
	MaxFragments int

	// Stream makes Reader return uncompressed messages as they arrive, of any size,
	// without holding them in memory. MaxMessage still limits what Read returns, and
	// compressed messages.
	Stream bool

	// CompressFrom is the length in bytes from which messages are compressed, if
	// permessage-deflate was negotiated. Default 128; 1 compresses every message, a
	// negative value none. A WriteOption decides otherwise for one message.
	CompressFrom int

	// CompressLevel is the level of compression, from 1, the fastest, to 9. Default 1.
	// It applies where the negotiated window has its full size of 32 KiB.
	CompressLevel int

	// CloseTimeout is the maximum time from the first Close frame, in either
	// direction, to the end of the connection. Default 5 s.
	CloseTimeout time.Duration
}

// config returns the protocol's settings.
func (o *Options) config(role wsproto.Role) wsproto.Config {
	fragments := o.MaxFragments
	if fragments == 0 && o.Stream {
		fragments = -1
	}
	return wsproto.Config{
		Role:          role,
		MaxMessage:    orDefault(o.MaxMessage, wsproto.DefaultMaxMessage),
		MaxFragments:  fragments,
		CompressFrom:  o.CompressFrom,
		CompressLevel: o.CompressLevel,
		Stream:        o.Stream,
		MaskKey:       MaskKey,
	}
}

// orDefault returns v, or def if v is not positive.
func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// WriteOption changes how one message is sent.
type WriteOption uint8

const (
	// Compress compresses the message whatever Options.CompressFrom says, if
	// permessage-deflate was negotiated and the message becomes shorter by it.
	Compress WriteOption = iota + 1

	// NoCompress sends the message as it is: because it is compressed already, or
	// because it contains a secret together with text that an attacker can choose,
	// whose compressed length would reveal the secret.
	NoCompress
)

// compressFrom returns the CompressFrom of one message.
func (o *Options) compressFrom(opts []WriteOption) int {
	from := o.CompressFrom
	for _, opt := range opts {
		switch opt {
		case Compress:
			from = 1
		case NoCompress:
			from = -1
		}
	}
	return from
}
