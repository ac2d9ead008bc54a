package config

import (
	"log/slog"
	"time"
)

// Config holds every setting of "hawser serve", checked. Its zero value is not
// useful; Default and Load make one.
type Config struct {
	// Listen is the address of the listener, as host:port.
	Listen string

	// Data is the folder of the store and the signing key.
	Data string

	// PublicOrigins are the exact origins whose pages may connect. Empty means the
	// listener's own. It may hold "*", any origin, of which the user should be
	// warned.
	PublicOrigins []string

	// Guests says whether anybody may make a user by choosing a name.
	Guests bool

	// PingInterval is the silence after which a connection is pinged, PingMisses
	// how many pings in a row may stay unanswered.
	PingInterval time.Duration
	PingMisses   int

	// AuthTimeout is the time a connection has to authenticate itself.
	AuthTimeout time.Duration

	// ShutdownTimeout is the time that a graceful stop may take. 0 ends at once.
	ShutdownTimeout time.Duration

	// Loops is the number of event loops. 0 means one per core.
	Loops int

	// MaxMessage and WriteQueue are bounds in bytes: of a received message, and of
	// what waits to be written on one connection.
	MaxMessage int
	WriteQueue int

	// Deflate says whether permessage-deflate is agreed on.
	Deflate bool

	LogLevel  slog.Level
	LogFormat string // "text" or "json"

	Limits Limits
}

// Limits bound what clients may do. 0 means no limit.
type Limits struct {
	// MessagesPerSecond is how fast one connection may send, Burst how much of it
	// at once; a Burst of 0 is the same as MessagesPerSecond.
	MessagesPerSecond int
	Burst             int

	// ConnectionsPerAddress bounds the connections of one client address.
	ConnectionsPerAddress int

	// HandshakesPerSecond bounds the opening handshakes of the whole server.
	HandshakesPerSecond int

	// GuestsPerMinute bounds the users that one client address may make.
	GuestsPerMinute int
}

// Default is the configuration in which nothing was set.
func Default() Config {
	var c Config
	for _, s := range settings {
		s.reset(&c)
	}
	return c
}
