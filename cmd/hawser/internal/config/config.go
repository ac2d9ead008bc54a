package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/identity"
	"github.com/hawser-ws/hawser/cmd/internal/certs"
	"github.com/hawser-ws/hawser/cmd/internal/proxy"
)

// Config holds every setting of "hawser serve", checked. Its zero value is not
// useful; Default and Load make one.
type Config struct {
	// Listen is the address of the listener, in one of the forms of package listen.
	Listen string

	// AdminListen is the address of the listener for health probes and metrics, in the same
	// forms; "" is none.
	AdminListen string

	// SocketMode is the mode of a Unix socket's file.
	SocketMode fs.FileMode

	// ReusePort says whether other processes may listen on the same TCP address.
	ReusePort bool

	// TLS names the files of TLS; without any, there is none.
	TLS certs.Files

	// HSTS is how long browsers are told to come back over TLS only; 0 tells them
	// nothing. HSTSSubdomains says it for the names below the server's own, too.
	HSTS           time.Duration
	HSTSSubdomains bool

	// TLSIdentities leads from names in client certificates to user ids. If there
	// are any, a certificate without one of them is refused.
	TLSIdentities identity.Map

	// TrustedProxies are believed, as package proxy has it: in PROXY headers, which
	// they have to send if ProxyProtocol is set, and in ForwardedHeader.
	TrustedProxies  []string
	ProxyProtocol   bool
	ForwardedHeader proxy.Header

	// Data is the folder of the store and the signing key.
	Data string

	// PublicOrigins are the exact origins whose pages may connect. Empty means the
	// listener's own. It may hold "*", any origin, of which the user should be
	// warned.
	PublicOrigins []string

	// BasePath is a path without a slash at its end, such as "/chat", under which
	// everything is found as well. Empty: nothing is.
	BasePath string

	// PublishKeyFile names the file of the key for POST /api/publish. PublishKey is the
	// key itself, where the environment gives it in HAWSER_PUBLISH_KEY. Without either,
	// nobody may publish.
	PublishKeyFile string
	PublishKey     string

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

	// DrainTime is how long a graceful stop takes to close its connections, one
	// after the other, before ShutdownTimeout begins. 0 closes them all at once.
	DrainTime time.Duration

	// Loops is the number of event loops. 0 means one per core.
	Loops int

	// MaxMessage and WriteQueue are bounds in bytes: of a received message, and of
	// what waits to be written on one connection.
	MaxMessage int
	WriteQueue int

	// MemoryBudget bounds what all connections together hold, in bytes. 0: no limit.
	MemoryBudget int

	// Deflate says whether permessage-deflate is agreed on.
	Deflate bool

	LogLevel  slog.Level
	LogFormat string // "text" or "json"

	Chat   Chat
	Limits Limits
}

// Chat is how the chat works. See chat.Config and chat.Pages.
type Chat struct {
	HeartbeatInterval time.Duration // in whole seconds
	OperationTimeout  time.Duration

	Sequencers      int
	Workers         int // of each pool
	Queue           int // of each pool and sequencer
	ConnectionQueue int

	HistoryPage    int // messages
	HistoryDefault int // messages
	HistoryBytes   int
	ListPage       int // rooms or people
	PresenceList   int // people
}

// Limits bound what clients may do. 0 means no limit.
type Limits struct {
	// MessagesPerSecond is how fast one connection may send, Burst how much of it
	// at once; a Burst of 0 is the same as MessagesPerSecond.
	MessagesPerSecond int
	Burst             int

	// The same by user and by address, and what of them is stored; all off without
	// MessagesPerSecond. See chat.Limits.
	UserMessagesPerSecond    int
	AddressMessagesPerSecond int
	UserBytesPerDay          int
	AddressBytesPerDay       int
	UserRoomsPerHour         int
	AddressRoomsPerHour      int

	// Content and Metadata bound those of one message, in code points and in bytes.
	Content  int
	Metadata int

	// Rooms is how many rooms a connection may be in, ErrorsPerMinute how many errors of
	// its client close it.
	Rooms           int
	ErrorsPerMinute int

	// Connections bounds the WebSockets in all, ConnectionsPerAddress those of one
	// client address.
	Connections           int
	ConnectionsPerAddress int

	// AcceptsPerSecond is how many connections are accepted; more wait.
	AcceptsPerSecond int

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

// check finds settings that are right, but not together.
func (c *Config) check() error {
	var errs []error
	if len(c.TrustedProxies) == 0 && c.ProxyProtocol {
		errs = append(errs, errors.New("proxy_protocol: it is on, but trusted_proxies is empty, so that nobody would be believed"))
	}
	if len(c.TrustedProxies) == 0 && c.ForwardedHeader != proxy.NoHeader {
		errs = append(errs, errors.New("forwarded_header: it is set, but trusted_proxies is empty, so that nobody would be believed"))
	}
	if len(c.TLSIdentities) > 0 && c.TLS.ClientCA == "" {
		errs = append(errs, errors.New("tls_identities: it is set, but tls_client_ca is not, so that no client shows a certificate"))
	}
	if c.HSTSSubdomains && c.HSTS == 0 {
		errs = append(errs, errors.New("hsts_subdomains: it is on, but hsts is 0s, so that browsers are told nothing"))
	}
	if c.PublishKey != "" && c.PublishKeyFile != "" {
		errs = append(errs, errors.New("publish_key_file: it is set, and so is the variable "+publishKeyVariable+"; one of them has to go"))
	}
	if c.Chat.HistoryDefault > c.Chat.HistoryPage {
		errs = append(errs, fmt.Errorf("chat.history_default: it is %d, and chat.history_page allows %d", c.Chat.HistoryDefault, c.Chat.HistoryPage))
	}
	if n := c.Limits.Content + c.Limits.Metadata; n > c.MaxMessage {
		errs = append(errs, fmt.Errorf("limits.content: it and limits.metadata take %d bytes or more, and max_message allows %d", n, c.MaxMessage))
	}
	return errors.Join(errs...)
}
