package config

import (
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/identity"
	"github.com/hawser-ws/hawser/cmd/internal/listen"
	"github.com/hawser-ws/hawser/cmd/internal/proxy"
)

// settings declares every setting, in the order in which they are shown.
var settings = []setting{
	declare("preset", choice("none or strict", presetNames()), noPreset, func(c *Config) *string { return &c.Preset },
		"Other defaults for several settings, which can still be set. strict: for a server that strangers can reach."),
	declare("listen", address(), "127.0.0.1:8080", func(c *Config) *string { return &c.Listen },
		"Where to listen: a TCP address, the file of a Unix socket, or a socket from systemd (socket activation); NAME selects one of several."),
	declare("admin_listen", optionalAddress(), "", func(c *Config) *string { return &c.AdminListen },
		"Where else to answer health probes (/healthz and /readyz), Prometheus at /metrics, and the commands of administrators, if there is admin_keys_file. No limits apply there, no PROXY header or certificate is needed, and nothing is encrypted, so it must not be reachable for strangers. Empty: nowhere, and nothing is measured for Prometheus. Probes are also answered at listen, even when the server is full."),
	declare("admin_keys_file", file(), "", func(c *Config) *string { return &c.AdminKeysFile },
		"File with the names and hashes of the administrators' keys, with which \"hawser ban\" and other commands act on the running server at admin_listen. \"hawser new-admin-key NAME\" makes a key. Changes count at once. Empty: nobody can."),
	declare("audit_log", file(), "", func(c *Config) *string { return &c.AuditLog },
		"File to which a line of JSON is appended for each act of an administrator, and for each automatic ban: who did what to whom, when, from where, and why. What an administrator does is not done if it cannot be recorded. The file may be renamed at any time, to rotate it. Empty: the ordinary log has the same, at level info."),
	declare("socket_mode", mode(), listen.DefaultMode, func(c *Config) *fs.FileMode { return &c.SocketMode },
		"Mode of the Unix socket's file. Users who may write to it may connect."),
	declare("reuse_port", boolean(), false, func(c *Config) *bool { return &c.ReusePort },
		"Whether other processes that also set this may listen on the same TCP address; each gets a share of the connections."),
	declare("data", path(), "./data", func(c *Config) *string { return &c.Data },
		"Folder of the messages and the signing key, relative to the working directory."),
	declare("public_origins", originList(), nil, func(c *Config) *[]string { return &c.PublicOrigins },
		"Origins whose pages may connect, exactly as browsers send them. Empty: the listener's own address, and localhost with its port. * allows every page of the web."),
	declare("base_path", urlPath(), "", func(c *Config) *string { return &c.BasePath },
		"Path under which the page and everything else is also served, for a proxy that forwards requests with their path. A proxy that strips its path does not need this."),
	declare("tls_cert", file(), "", func(c *Config) *string { return &c.TLS.Cert },
		"Certificate of the server and intermediate certificates, in PEM. Together with tls_key it enables TLS, 1.2 or newer. Changed files are reloaded within 10 seconds, or at once on SIGHUP."),
	declare("tls_key", file(), "", func(c *Config) *string { return &c.TLS.Key },
		"Private key of tls_cert, in PEM."),
	declare("tls_client_ca", file(), "", func(c *Config) *string { return &c.TLS.ClientCA },
		"Certificates of the authorities for client certificates, in PEM. If it is set, clients without a certificate from one of them are refused."),
	declare("hsts", duration(0, 2*365*24*time.Hour), 0, func(c *Config) *time.Duration { return &c.HSTS },
		"How long browsers that connected over TLS, to the server itself or to one of trusted_proxies, must use TLS (Strict-Transport-Security). This cannot be revoked before that time is over, so begin with 1h. 0s: not sent."),
	declare("hsts_subdomains", boolean(), false, func(c *Config) *bool { return &c.HSTSSubdomains },
		"Whether hsts also applies to all subdomains of the server's name, whatever serves them."),
	declare("tls_identities", identities(), nil, func(c *Config) *identity.Map { return &c.TLSIdentities },
		"Users of client certificates: a name \"dns:…\", \"uri:…\" or \"email:…\", exactly as in the certificate's subjectAltName, and a user id. If there are any, certificates without such a name are refused, and so are tokens of other users."),
	declare("trusted_proxies", trusted(), nil, func(c *Config) *[]string { return &c.TrustedProxies },
		"Proxies in front of the server that are trusted to name the client, for limits and the log."),
	declare("proxy_protocol", boolean(), false, func(c *Config) *bool { return &c.ProxyProtocol },
		"Whether trusted_proxies begin each connection with a PROXY header, version 1 or 2. It is then required from them, and refused from others."),
	declare("forwarded_header", choice("none, x-forwarded-for or forwarded", map[string]proxy.Header{
		"none": proxy.NoHeader, "x-forwarded-for": proxy.XForwardedFor, "forwarded": proxy.Forwarded,
	}), proxy.NoHeader, func(c *Config) *proxy.Header { return &c.ForwardedHeader },
		"Header in which trusted_proxies name the client of a request. Choose the one that they set: any other may come from the client."),

	declare("redis", redisURL(), RedisURL{}, func(c *Config) *RedisURL { return &c.Redis.URL },
		"Redis 7.0 or newer, or Valkey, in which several nodes keep users and messages, and by which they hear of each other. Users and passwords, as in redis://USER:PASSWORD@HOST, are not allowed in arguments or in this file, but in redis_file and the variable HAWSER_REDIS. Empty: there is one node, which keeps everything in data."),
	declare("redis_file", file(), "", func(c *Config) *string { return &c.Redis.URLFile },
		"File that contains the URL of redis and nothing else."),
	declare("redis_ca", file(), "", func(c *Config) *string { return &c.Redis.CA },
		"Certificates of the authorities for Redis's certificate, in PEM. Empty: the system's."),
	declare("redis_cert", file(), "", func(c *Config) *string { return &c.Redis.Cert },
		"Certificate by which Redis knows this server, in PEM, if it asks for one."),
	declare("redis_key", file(), "", func(c *Config) *string { return &c.Redis.Key },
		"Private key of redis_cert, in PEM."),
	declare("redis_ack", redisAck(), RedisAck{}, func(c *Config) *RedisAck { return &c.Redis.Ack },
		"When a message counts as stored, and is acknowledged: once it is in Redis's memory; on its disk, which appendfsync always makes slower and surer; or in the memory of so many replicas, which a failover of Sentinel or a cluster then finds."),
	declare("redis_prefix", redisPrefix(), "hawser:", func(c *Config) *string { return &c.Redis.Prefix },
		"Beginning of the names of all keys and channels in Redis. It is the same for all nodes of one chat, and different for another chat in the same Redis."),
	declare("redis_history", integer(100, 10_000_000), 10_000, func(c *Config) *int { return &c.Redis.History },
		"Messages that Redis keeps of each conversation, or some more. Older ones are dropped, and history says where it begins."),
	declare("redis_history_age", duration(0, 10*365*24*time.Hour), 30*24*time.Hour, func(c *Config) *time.Duration { return &c.Redis.HistoryAge },
		"How long Redis keeps messages, or somewhat longer. 0s: as long as it has room."),
	declare("redis_ref_lifetime", duration(time.Minute, 7*24*time.Hour), time.Hour, func(c *Config) *time.Duration { return &c.Redis.RefLifetime },
		"How long a message's ref keeps it from being stored twice. Until then it takes room in Redis."),
	declare("redis_presence_ttl", duration(time.Second, 5*time.Minute), 12*time.Second, func(c *Config) *time.Duration { return &c.Redis.PresenceTTL },
		"Time within which the users of a node that dies are offline for everybody. Nodes that Redis has not heard for half of it count as dead. It is the same for all nodes."),
	declare("token_key_file", file(), "", func(c *Config) *string { return &c.TokenKeyFile },
		"File with the key that signs users' tokens: with redis, a copy of one key for all nodes, which \"hawser new-key FILE\" makes. Without redis it is in data."),
	declare("publish_key_file", file(), "", func(c *Config) *string { return &c.PublishKeyFile },
		"File with the key, of at least 16 characters, with which programs may send messages in the name of any user (POST /api/publish). Alternatively, the variable HAWSER_PUBLISH_KEY may contain the key itself. Without a key, publishing is disabled."),
	declare("guests", boolean(), true, func(c *Config) *bool { return &c.Guests },
		"Whether anyone may take part by choosing a name."),

	declare("ping_interval", duration(100*time.Millisecond, time.Hour), 30*time.Second, func(c *Config) *time.Duration { return &c.PingInterval },
		"Silence after which a connection is pinged."),
	declare("ping_misses", integer(1, 100), 2, func(c *Config) *int { return &c.PingMisses },
		"Pings in a row that may go unanswered before a connection is closed."),
	declare("auth_timeout", duration(100*time.Millisecond, 10*time.Minute), 5*time.Second, func(c *Config) *time.Duration { return &c.AuthTimeout },
		"Time that a new connection has to authenticate itself."),
	declare("shutdown_timeout", duration(0, 10*time.Minute), 10*time.Second, func(c *Config) *time.Duration { return &c.ShutdownTimeout },
		"Maximum time for a graceful stop."),
	declare("drain_time", duration(0, time.Hour), 0, func(c *Config) *time.Duration { return &c.DrainTime },
		"Time over which a graceful stop first closes the connections, so that not all clients reconnect to another server at once. 0s: all at once."),

	declare("loops", integer(0, 1024), 0, func(c *Config) *int { return &c.Loops },
		"Number of event loops. 0: one per core."),
	declare("max_message", size(16*kiB, 64*miB), 64*kiB, func(c *Config) *int { return &c.MaxMessage },
		"Maximum size of a received message."),
	declare("write_queue", size(64*kiB, giB), miB, func(c *Config) *int { return &c.WriteQueue },
		"Maximum number of bytes that wait to be written on one connection; beyond it the connection is closed as too slow."),
	declare("memory_budget", size(0, maxMemory), giB, func(c *Config) *int { return &c.MemoryBudget },
		"Maximum number of bytes that wait to be written or belong to incomplete messages, on all connections together; beyond it handshakes are refused and the slowest connections closed. 0B: no limit."),

	declare("deflate", boolean(), false, func(c *Config) *bool { return &c.Deflate },
		"Whether messages are compressed (permessage-deflate) for clients that offer it. A client's messages may refer back to earlier ones, for which 32 KiB are kept."),

	declare("log_level", choice("debug, info, warn or error", map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}), slog.LevelInfo, func(c *Config) *slog.Level { return &c.LogLevel },
		"Minimum level to log."),
	declare("log_format", choice("text or json", map[string]string{
		"text": "text", "json": "json",
	}), "text", func(c *Config) *string { return &c.LogFormat },
		"Format of the log."),

	declare("alert_webhook", webhook(), "", func(c *Config) *string { return &c.AlertWebhook },
		"URL to which alerts are sent, as POST requests of JSON with a signature in the header Hawser-Signature. Alerts also go to the log, and are counted for Prometheus. Empty: nowhere else."),
	declare("alert_key_file", file(), "", func(c *Config) *string { return &c.AlertKeyFile },
		"File that contains the key of that signature, a word of at least 16 characters, and nothing else."),

	declare("chat.heartbeat_interval", seconds(time.Second, time.Hour), 30*time.Second, func(c *Config) *time.Duration { return &c.Chat.HeartbeatInterval },
		"Time after which clients are asked to send a heartbeat."),
	declare("chat.operation_timeout", duration(100*time.Millisecond, time.Minute), 5*time.Second, func(c *Config) *time.Duration { return &c.Chat.OperationTimeout },
		"Maximum time that an operation waits in a queue or for the disk; then it is answered with an error."),
	declare("chat.session_lifetime", seconds(time.Minute, 30*24*time.Hour), chat.SessionLife, func(c *Config) *time.Duration { return &c.Chat.SessionLifetime },
		"How long a log-in lives without a connection, and can be resumed."),
	declare("chat.sequencers", integer(1, 1024), 16, func(c *Config) *int { return &c.Chat.Sequencers },
		"Sequencers that share the conversations. A conversation whose messages cannot be stored delays only those of its own sequencer."),
	declare("chat.workers", integer(1, 1024), 4, func(c *Config) *int { return &c.Chat.Workers },
		"Workers in each of three pools: for log-ins, look-ups and queries."),
	declare("chat.queue", integer(1, 1_000_000), 8192, func(c *Config) *int { return &c.Chat.Queue },
		"Maximum number of operations that wait for each sequencer and for each kind of worker; further ones are answered with 503."),
	declare("chat.connection_queue", integer(1, 1024), 32, func(c *Config) *int { return &c.Chat.ConnectionQueue },
		"Operations of one connection that may wait before the server stops reading from it."),
	declare("chat.history_page", integer(1, 1000), 100, func(c *Config) *int { return &c.Chat.HistoryPage },
		"Messages that one answer to history may hold."),
	declare("chat.history_default", integer(1, 1000), 50, func(c *Config) *int { return &c.Chat.HistoryDefault },
		"Messages in an answer to history if the client does not say how many."),
	declare("chat.history_bytes", size(4*kiB, 16*miB), 256*kiB, func(c *Config) *int { return &c.Chat.HistoryBytes },
		"Size up to which an answer to history is filled, or half of write_queue if that is less. It holds one message even if that is longer."),
	declare("chat.list_page", integer(1, 10_000), 500, func(c *Config) *int { return &c.Chat.ListPage },
		"Rooms or people that one answer to rooms or peers may hold."),
	declare("chat.presence_list", integer(1, 10_000), 1000, func(c *Config) *int { return &c.Chat.PresenceList },
		"People that one answer to presence may hold."),

	declare("limits.messages_per_second", limit(), 10, func(c *Config) *int { return &c.Limits.MessagesPerSecond },
		"Messages per second and connection; faster ones have to wait. 0: no limits on messages at all, neither per user, per address nor per room, nor on what they store."),
	declare("limits.burst", limit(), 20, func(c *Config) *int { return &c.Limits.Burst },
		"Messages that a connection may send at once. 0: as many as per second."),
	declare("limits.user_messages_per_second", limit(), chat.DefaultLimits().UserMessagesPerSecond, func(c *Config) *int { return &c.Limits.UserMessagesPerSecond },
		"Messages per second of all connections of a user together, and twice as many at once. 0: no limit."),
	declare("limits.address_messages_per_second", limit(), chat.DefaultLimits().AddressMessagesPerSecond, func(c *Config) *int { return &c.Limits.AddressMessagesPerSecond },
		"The same for all connections of one client address (IPv6: a /64), which may be a whole office. 0: no limit."),
	declare("limits.user_bytes_per_day", size(0, maxMemory), chat.DefaultLimits().UserBytesPerDay, func(c *Config) *int { return &c.Limits.UserBytesPerDay },
		"Bytes that the messages of a user may add to the history per day: content, metadata, and 256 for each message. It limits how fast one guest can fill the disk. 0B: no limit."),
	declare("limits.address_bytes_per_day", size(0, maxMemory), chat.DefaultLimits().AddressBytesPerDay, func(c *Config) *int { return &c.Limits.AddressBytesPerDay },
		"The same for all users at one client address. 0B: no limit."),
	declare("limits.user_rooms_per_hour", limit(), chat.DefaultLimits().UserRoomsPerHour, func(c *Config) *int { return &c.Limits.UserRoomsPerHour },
		"Rooms that a user may create per hour. 0: no limit."),
	declare("limits.address_rooms_per_hour", limit(), chat.DefaultLimits().AddressRoomsPerHour, func(c *Config) *int { return &c.Limits.AddressRoomsPerHour },
		"The same for all users at one client address. 0: no limit."),
	declare("limits.user_rooms_per_day", limit(), chat.DefaultLimits().UserRoomsPerDay, func(c *Config) *int { return &c.Limits.UserRoomsPerDay },
		"Rooms that a user may create per day. 0: no limit."),
	declare("limits.address_rooms_per_day", limit(), chat.DefaultLimits().AddressRoomsPerDay, func(c *Config) *int { return &c.Limits.AddressRoomsPerDay },
		"The same for all users at one client address. 0: no limit."),
	declare("limits.room_messages_per_second", limit(), chat.DefaultLimits().RoomMessagesPerSecond, func(c *Config) *int { return &c.Limits.RoomMessagesPerSecond },
		"Messages per second that a room sends out, by all who write there together, and as many at once. Further ones wait, for at most 5 seconds, and are then refused with 429. 0: no limit."),
	declare("limits.room_deliveries_per_second", integer(0, 1_000_000_000), chat.DefaultLimits().RoomDeliveriesPerSecond, func(c *Config) *int { return &c.Limits.RoomDeliveriesPerSecond },
		"The same for what it costs to send them: a message is one delivery for each connection in the room on this node. So one large room cannot take the whole node. 0: no limit."),
	declare("limits.roles", roles(), nil, func(c *Config) *map[string]float64 { return &c.Limits.Roles },
		"How many times as much the users with a role may do as others, of what is limited per connection and per user; 0: as much as they like, also from one address. The role is in the user's token (role)."),
	declare("limits.content", integer(0, 64*miB), chat.DefaultLimits().Content, func(c *Config) *int { return &c.Limits.Content },
		"Maximum number of code points in the content of a message. 0: as many as fit in max_message."),
	declare("limits.metadata", size(0, 64*miB), chat.DefaultLimits().Metadata, func(c *Config) *int { return &c.Limits.Metadata },
		"Maximum size of the metadata of a message. 0B: as much as fits in max_message."),
	declare("limits.rooms", limit(), chat.DefaultLimits().Rooms, func(c *Config) *int { return &c.Limits.Rooms },
		"Maximum number of rooms that a connection is in at the same time. 0: no limit."),
	declare("limits.errors_per_minute", integer(0, 1000), chat.DefaultLimits().Errors, func(c *Config) *int { return &c.Limits.ErrorsPerMinute },
		"Errors of a client within a minute after which its connection is closed. 0: no limit."),
	declare("limits.connections_per_user", limit(), chat.DefaultLimits().UserConnections, func(c *Config) *int { return &c.Limits.ConnectionsPerUser },
		"Maximum number of connections of a user to this node; one more is refused with 429, and closed. 0: no limit."),
	declare("limits.connections", limit(), 0, func(c *Config) *int { return &c.Limits.Connections },
		"Maximum number of WebSockets. Further ones are answered with 503. 0: no limit."),
	declare("limits.connections_per_address", limit(), 2000, func(c *Config) *int { return &c.Limits.ConnectionsPerAddress },
		"Maximum number of WebSockets from one client address, which is an IPv4 address or an IPv6 /64; further ones are answered with 429. Many people may share an address: the default is enough for an office of several hundred with some tabs and a telephone each, or for the customers who share an address of a mobile carrier, but one address cannot fill the server. Behind a proxy, set trusted_proxies; otherwise all people have the proxy's address. 0: no limit."),
	declare("limits.http_connections", limit(), 0, func(c *Config) *int { return &c.Limits.HTTPConnections },
		"Maximum number of connections that are not WebSockets, or not yet: browsers keep them open for their next request, and those that wait for one are closed first. 0: a quarter of the descriptors (ulimit -n)."),
	declare("limits.http_connections_per_address", limit(), 1000, func(c *Config) *int { return &c.Limits.HTTPConnectionsPerAddress },
		"The same for one client address; further ones are answered with 429. 0: no limit."),
	declare("limits.address_requests_per_second", limit(), 100, func(c *Config) *int { return &c.Limits.AddressRequestsPerSecond },
		"HTTP requests per second from one client address, opening handshakes included; further ones are answered with 429. 0: no limit."),
	declare("limits.address_requests_burst", limit(), 2000, func(c *Config) *int { return &c.Limits.AddressRequestsBurst },
		"How many of them may come at once: after a restart, everybody in an office reconnects. 0: as many as per second."),
	declare("limits.accepts_per_second", limit(), 0, func(c *Config) *int { return &c.Limits.AcceptsPerSecond },
		"Connections accepted per second; further ones wait in the system's queue. 0: no limit."),
	declare("limits.handshakes_per_second", limit(), 0, func(c *Config) *int { return &c.Limits.HandshakesPerSecond },
		"Opening handshakes per second, by all clients together. 0: no limit."),
	declare("limits.guests_per_minute", limit(), 300, func(c *Config) *int { return &c.Limits.GuestsPerMinute },
		"New guests per minute and client address, and as many at once: an office or a school class behind one address may arrive together. A guest's new name counts as a new guest. 0: no limit."),

	declare("bans.offences", integer(0, 1000), 5, func(c *Config) *int { return &c.Bans.Offences },
		"Offences within bans.window after which a user is banned, or a client address for what it does before log-in: messages over the limits, tokens that are not accepted, connections that do not log in, requests for what is not there. What happens within a second is one offence, and slight ones count for less. An address is not banned while well-behaved users are connected from it; a guest counts as one only once in the time of bans.longest. 0: nobody is banned automatically."),
	declare("bans.window", seconds(time.Second, 24*time.Hour), time.Minute, func(c *Config) *time.Duration { return &c.Bans.Window },
		"Time in which offences are counted."),
	declare("bans.duration", seconds(time.Second, 365*24*time.Hour), 10*time.Minute, func(c *Config) *time.Duration { return &c.Bans.Duration },
		"How long the first ban lasts. Each further one is twice as long, if not a day has passed since the last one ended."),
	declare("bans.longest", seconds(time.Second, 365*24*time.Hour), 24*time.Hour, func(c *Config) *time.Duration { return &c.Bans.Longest },
		"Maximum length of an automatic ban."),
	declare("bans.allow", networks(), []string{"127.0.0.0/8", "::1"}, func(c *Config) *[]string { return &c.Bans.Allow },
		"Networks that cannot be banned, neither automatically nor by an administrator, such as those of a company or a monitor. The same is true of trusted_proxies. By default it is this machine, where a proxy may be that is not in trusted_proxies."),
}

// maxMemory is 1 TiB, or 1 GiB where an int has 32 bits.
const maxMemory = giB << (10 * (^uint(0) >> 63))

func limit() kind[int] { return integer(0, 1_000_000) }

// setting is one line of the table, with its type erased.
type setting struct {
	key   string // as in a file; tables are separated by dots
	help  string
	want  string // what is allowed
	arg   string // stands for the value in the usage text; empty for a bool
	value string // the default, as TOML

	reset  func(c *Config)
	parse  func(c *Config, text string) error // a variable's text
	flag   func(c *Config, text string) error // a flag's text, which others can read
	decode func(c *Config, v any) error       // a value of a TOML document
	text   func(c *Config) string             // the value that is set, as TOML
}

func declare[T any](key string, k kind[T], def T, field func(*Config) *T, help string) setting {
	show, public := quote, func(T) error { return nil }
	if k.show != nil {
		show, public = k.show, k.public
	}
	set := func(c *Config, shown string, v T, err error) error {
		if err != nil {
			return refusal(shown, k.want, err)
		}
		*field(c) = v
		return nil
	}
	parse := func(text string) (T, error) { return k.parse(strings.TrimSpace(text)) }
	checked := func(v T, err error) (T, error) {
		if err == nil {
			err = public(v)
		}
		return v, err
	}
	return setting{
		key:   key,
		help:  help,
		want:  k.want,
		arg:   k.arg,
		value: k.format(def),
		reset: func(c *Config) { *field(c) = def },
		parse: func(c *Config, text string) error {
			v, err := parse(text)
			return set(c, show(text), v, err)
		},
		flag: func(c *Config, text string) error {
			v, err := checked(parse(text))
			return set(c, show(text), v, err)
		},
		decode: func(c *Config, raw any) error {
			shown := describe(raw)
			if s, ok := raw.(string); ok {
				shown = show(s)
			}
			v, err := checked(k.decode(raw))
			return set(c, shown, v, err)
		},
		text: func(c *Config) string { return k.format(*field(c)) },
	}
}

// flagName returns the setting's flag without the dashes in front. Flags have dashes where
// keys have underscores, as in all other programs.
func (s setting) flagName() string { return strings.ReplaceAll(s.key, "_", "-") }

func (s setting) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

func find(name func(setting) string, want string) (setting, bool) {
	for _, s := range settings {
		if name(s) == want {
			return s, true
		}
	}
	return setting{}, false
}
