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

// Config holds every setting of "hawser serve", checked. Its zero value is not valid; use
// Default or Load.
type Config struct {
	// Preset is the name of the preset that the defaults were taken from.
	Preset string

	// Listen is the address of the listener, in one of the forms of package listen.
	Listen string

	// AdminListen is the address of the listener for health probes and metrics, in the same
	// forms; "" is none.
	AdminListen string

	// AdminKeysFile names the file with the hashes of the administrators' keys; "": they
	// have none. AuditLog names the file in which their acts, and automatic bans, are
	// recorded; "" is the ordinary log.
	AdminKeysFile string
	AuditLog      string

	// SocketMode is the mode of a Unix socket's file.
	SocketMode fs.FileMode

	// ReusePort says whether other processes may listen on the same TCP address.
	ReusePort bool

	// TLS names the files for TLS; if there are none, TLS is disabled.
	TLS certs.Files

	// HSTS is how long browsers are told to use TLS only; 0 tells them nothing.
	// HSTSSubdomains says whether that also applies to subdomains of the server's name.
	HSTS           time.Duration
	HSTSSubdomains bool

	// TLSIdentities maps names in client certificates to user ids. If there are any,
	// certificates without one of them are refused.
	TLSIdentities identity.Map

	// TrustedProxies are trusted, as package proxy describes: in PROXY headers, which they
	// must send if ProxyProtocol is set, and in ForwardedHeader.
	TrustedProxies  []string
	ProxyProtocol   bool
	ForwardedHeader proxy.Header

	// Data is the folder of the store and the signing key.
	Data string

	// Redis is what several nodes share; without it, everything is in Data. TokenKeyFile
	// names the file with the key that they have in common.
	Redis        Redis
	TokenKeyFile string

	// PublicOrigins are the exact origins whose pages may connect. Empty means the
	// listener's own. "*" means any origin; the user should be warned of that.
	PublicOrigins []string

	// BasePath is a path without a slash at its end, such as "/chat", under which
	// everything is also served; "" is none.
	BasePath string

	// PublishKeyFile names the file with the key for POST /api/publish. PublishKey is the key
	// itself, if the environment has it in HAWSER_PUBLISH_KEY. Without either, publishing is
	// disabled.
	PublishKeyFile string
	PublishKey     string

	// Guests says whether anyone may become a user by choosing a name.
	Guests bool

	// PingInterval is the silence after which a connection is pinged, and PingMisses how
	// many pings in a row may go unanswered.
	PingInterval time.Duration
	PingMisses   int

	// AuthTimeout is the maximum time for a connection to authenticate.
	AuthTimeout time.Duration

	// ShutdownTimeout is the maximum time for a graceful stop. 0 ends at once.
	ShutdownTimeout time.Duration

	// DrainTime is how long a graceful stop takes to close its connections, one
	// after the other, before ShutdownTimeout begins. 0 closes them all at once.
	DrainTime time.Duration

	// Loops is the number of event loops. 0 means one per core.
	Loops int

	// MaxMessage and WriteQueue are limits in bytes: of a received message, and of what
	// waits to be written on one connection.
	MaxMessage int
	WriteQueue int

	// MemoryBudget limits what all connections together hold, in bytes. 0: no limit.
	MemoryBudget int

	// Deflate says whether permessage-deflate is accepted.
	Deflate bool

	LogLevel  slog.Level
	LogFormat string // "text" or "json"

	// AlertWebhook is the URL that alerts are sent to; "": none. AlertKeyFile names the file
	// with the key that signs them.
	AlertWebhook string
	AlertKeyFile string

	Chat   Chat
	Limits Limits
	Bans   Bans
}

// Bans configure automatic bans of clients that behave as no honest client does. See
// guard.Config.
type Bans struct {
	Offences int // 0: no automatic bans
	Window   time.Duration
	Duration time.Duration
	Longest  time.Duration

	// Allow are networks that cannot be banned; nor can TrustedProxies.
	Allow []string
}

// Chat configures the chat. See chat.Config and chat.Pages.
type Chat struct {
	HeartbeatInterval time.Duration // in whole seconds
	OperationTimeout  time.Duration
	SessionLifetime   time.Duration // in whole seconds

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

// Limits limit what clients may do. 0 means no limit.
type Limits struct {
	// MessagesPerSecond is the rate of a connection, and Burst how many messages it may
	// send at once; a Burst of 0 is the same as MessagesPerSecond.
	MessagesPerSecond int
	Burst             int

	// The same per user and per address, and how much disk space their messages may take;
	// without MessagesPerSecond all of these are off. See chat.Limits.
	UserMessagesPerSecond    int
	AddressMessagesPerSecond int
	UserBytesPerDay          int
	AddressBytesPerDay       int
	UserRoomsPerHour         int
	AddressRoomsPerHour      int

	UserRoomsPerDay    int
	AddressRoomsPerDay int

	// What a room sends out per second, and the factors by which the limits of users with a
	// role are higher: see chat.Limits.
	RoomMessagesPerSecond   int
	RoomDeliveriesPerSecond int
	Roles                   map[string]float64

	// Content and Metadata limit those of one message, in code points and in bytes.
	Content  int
	Metadata int

	// Rooms is the maximum number of rooms that a connection may be in, and ErrorsPerMinute
	// how many errors of its client close it.
	Rooms           int
	ErrorsPerMinute int

	// Connections is the maximum number of WebSockets, and ConnectionsPerAddress that of one
	// client address.
	Connections           int
	ConnectionsPerAddress int

	// ConnectionsPerUser is the maximum number of connections of a user.
	ConnectionsPerUser int

	// HTTPConnections is the maximum number of connections that are not WebSockets, and
	// HTTPConnectionsPerAddress that of one client address. For HTTPConnections, 0 is the
	// default of package server.
	HTTPConnections           int
	HTTPConnectionsPerAddress int

	// AddressRequestsPerSecond limits the requests from one client address, and
	// AddressRequestsBurst is how many may come at once; 0 is as many as per second.
	AddressRequestsPerSecond int
	AddressRequestsBurst     int

	// AcceptsPerSecond is how many connections are accepted per second; further ones wait.
	AcceptsPerSecond int

	// HandshakesPerSecond limits the opening handshakes of the whole server.
	HandshakesPerSecond int

	// GuestsPerMinute limits the users that one client address may create.
	GuestsPerMinute int
}

// Default returns the configuration in which nothing is set.
func Default() Config {
	var c Config
	for _, s := range settings {
		s.reset(&c)
	}
	return c
}

// check finds settings that are valid by themselves but not together.
func (c *Config) check() error {
	var errs []error
	if len(c.TrustedProxies) == 0 && c.ProxyProtocol {
		errs = append(errs, errors.New("proxy_protocol: it is on, but trusted_proxies is empty, so no proxy is trusted"))
	}
	if len(c.TrustedProxies) == 0 && c.ForwardedHeader != proxy.NoHeader {
		errs = append(errs, errors.New("forwarded_header: it is set, but trusted_proxies is empty, so no proxy is trusted"))
	}
	if c.AdminKeysFile != "" && c.AdminListen == "" {
		errs = append(errs, errors.New("admin_keys_file: it is set, but admin_listen is not, so there is nowhere to use the keys"))
	}
	if len(c.TLSIdentities) > 0 && c.TLS.ClientCA == "" {
		errs = append(errs, errors.New("tls_identities: it is set, but tls_client_ca is not, so clients are not asked for certificates"))
	}
	if c.HSTSSubdomains && c.HSTS == 0 {
		errs = append(errs, errors.New("hsts_subdomains: it is on, but hsts is 0s, so browsers are told nothing"))
	}
	if c.PublishKey != "" && c.PublishKeyFile != "" {
		errs = append(errs, errors.New("publish_key_file: it is set, and so is the variable "+publishKeyVariable+"; only one of them is allowed"))
	}
	if (c.AlertWebhook == "") != (c.AlertKeyFile == "") {
		errs = append(errs, errors.New("alert_webhook: it and alert_key_file belong together, and only one of them is set"))
	}
	if c.Bans.Longest < c.Bans.Duration {
		errs = append(errs, fmt.Errorf("bans.longest: it is %v, and bans.duration is %v", c.Bans.Longest, c.Bans.Duration))
	}
	errs = append(errs, c.checkRedis()...)
	if c.Chat.HistoryDefault > c.Chat.HistoryPage {
		errs = append(errs, fmt.Errorf("chat.history_default: it is %d, and chat.history_page allows %d", c.Chat.HistoryDefault, c.Chat.HistoryPage))
	}
	if n := c.Limits.Content + c.Limits.Metadata; n > c.MaxMessage {
		errs = append(errs, fmt.Errorf("limits.content: it and limits.metadata take %d bytes or more, and max_message allows %d", n, c.MaxMessage))
	}
	return errors.Join(errs...)
}

func (c *Config) checkRedis() (errs []error) {
	r := &c.Redis
	if len(r.URL.Addresses) > 0 && r.URLFile != "" {
		errs = append(errs, errors.New("redis_file: it is set, and so is redis; only one of them is allowed"))
	}
	if r.On() && c.TokenKeyFile == "" {
		errs = append(errs, errors.New("token_key_file: it is not set, but redis is: all nodes need copies of one key, which \"hawser new-key FILE\" makes"))
	}
	if !r.On() && c.TokenKeyFile != "" {
		errs = append(errs, errors.New("token_key_file: it is set, but redis is not, and the key of a single node is in data"))
	}
	if (r.Cert == "") != (r.Key == "") {
		errs = append(errs, errors.New("redis_cert: it and redis_key belong together, and only one of them is set"))
	}
	if tls := r.CA != "" || r.Cert != ""; tls && r.URLFile == "" && !r.URL.TLS {
		errs = append(errs, errors.New("redis_ca, redis_cert: they are for TLS, and redis does not begin with rediss://"))
	}
	return errs
}
