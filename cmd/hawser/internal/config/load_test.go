package config

import (
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/identity"
	"github.com/hawser-ws/hawser/cmd/internal/certs"
	"github.com/hawser-ws/hawser/cmd/internal/proxy"
)

// load runs Load with file as the only file there is, hawser.toml. If it is not
// empty, the arguments name it.
func load(file string, environ []string, args ...string) (Config, error) {
	if file != "" {
		args = append([]string{"--config", "hawser.toml"}, args...)
	}
	c, _, err := Load(args, environ, func(name string) ([]byte, error) {
		if name != "hawser.toml" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(file), nil
	})
	return c, err
}

func TestDefault(t *testing.T) {
	want := Config{
		Preset:          "none",
		Listen:          "127.0.0.1:8080",
		SocketMode:      0o660,
		Data:            "./data",
		Guests:          true,
		PingInterval:    30 * time.Second,
		PingMisses:      2,
		AuthTimeout:     5 * time.Second,
		ShutdownTimeout: 10 * time.Second,
		MaxMessage:      65536,
		WriteQueue:      1048576,
		MemoryBudget:    1 << 30,
		LogFormat:       "text",
		Redis:           Redis{Prefix: "hawser:", History: 10_000, HistoryAge: 720 * time.Hour, RefLifetime: time.Hour, PresenceTTL: 12 * time.Second},
		Chat: Chat{
			HeartbeatInterval: 30 * time.Second,
			OperationTimeout:  5 * time.Second,
			SessionLifetime:   30 * time.Minute,
			Sequencers:        16,
			Workers:           4,
			Queue:             8192,
			ConnectionQueue:   32,
			HistoryPage:       100,
			HistoryDefault:    50,
			HistoryBytes:      256 << 10,
			ListPage:          500,
			PresenceList:      1000,
		},
		Bans: Bans{Offences: 5, Window: time.Minute, Duration: 10 * time.Minute, Longest: 24 * time.Hour, Allow: []string{"127.0.0.0/8", "::1"}},
		Limits: Limits{
			MessagesPerSecond:        10,
			Burst:                    20,
			UserMessagesPerSecond:    20,
			AddressMessagesPerSecond: 200,
			UserBytesPerDay:          64 << 20,
			AddressBytesPerDay:       1 << 30,
			UserRoomsPerHour:         20,
			AddressRoomsPerHour:      100,
			Content:                  500,
			Metadata:                 4096,
			Rooms:                    100,
			ErrorsPerMinute:          10,
			ConnectionsPerAddress:    2000,
			GuestsPerMinute:          300,
			UserRoomsPerDay:          100,
			AddressRoomsPerDay:       1000,
			RoomMessagesPerSecond:    1000,
			RoomDeliveriesPerSecond:  200_000,
			ConnectionsPerUser:       100,

			HTTPConnectionsPerAddress: 1000,
			AddressRequestsPerSecond:  100,
			AddressRequestsBurst:      2000,
		},
	}
	got, err := load("", []string{"HOME=/", "HAWSERX=1", "PATH"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestEverySource(t *testing.T) {
	want := Config{
		Preset:          "strict",
		Listen:          "[::1]:0",
		AdminListen:     "unix:/run/hawser-admin.sock",
		AdminKeysFile:   "/etc/hawser/admins",
		AuditLog:        "/var/log/hawser/audit",
		SocketMode:      0o600,
		ReusePort:       true,
		TLS:             certs.Files{Cert: "cert.pem", Key: "/etc/key.pem", ClientCA: "clients.pem"},
		HSTS:            8760 * time.Hour,
		HSTSSubdomains:  true,
		TLSIdentities:   identity.Map{"uri:spiffe://example/ada?a=b": "u_ada", "dns:bob.example": "u_bob"},
		TrustedProxies:  []string{"10.0.0.0/8", "unix"},
		ProxyProtocol:   true,
		ForwardedHeader: proxy.Forwarded,
		Data:            "/var/lib/hawser",
		Redis: Redis{URL: RedisURL{Addresses: []string{"a.example:26379", "[::1]:7"}, Master: "chat", TLS: true, Database: 2, Username: "ada"},
			CA: "ca.pem", Cert: "redis.pem", Key: "redis.key", Ack: RedisAck{Disk: true, Replicas: 2}, Prefix: "chat:",
			History: 500, HistoryAge: 2 * time.Hour, RefLifetime: 30 * time.Minute, PresenceTTL: 5 * time.Second},
		TokenKeyFile:    "/run/secrets/token",
		PublicOrigins:   []string{"https://chat.example", "http://[::1]:8080"},
		BasePath:        "/chat",
		PublishKeyFile:  "/run/secrets/publish",
		PingInterval:    1500 * time.Millisecond,
		PingMisses:      3,
		AuthTimeout:     time.Minute,
		ShutdownTimeout: 0,
		DrainTime:       time.Minute,
		Loops:           4,
		MaxMessage:      128 << 10,
		WriteQueue:      2 << 20,
		MemoryBudget:    3 << 20,
		Deflate:         true,
		LogLevel:        slog.LevelWarn,
		LogFormat:       "json",
		AlertWebhook:    "https://alerts.example/hawser?team=chat",
		AlertKeyFile:    "/run/secrets/alerts",
		Bans:            Bans{Offences: 18, Window: 19 * time.Second, Duration: 20 * time.Minute, Longest: 21 * time.Hour, Allow: []string{"192.0.2.0/24", "2001:db8::1"}},
		Limits: Limits{MessagesPerSecond: 1, Burst: 2, Connections: 6, ConnectionsPerAddress: 3, AcceptsPerSecond: 7,
			HandshakesPerSecond: 4, GuestsPerMinute: 5, UserMessagesPerSecond: 8, AddressMessagesPerSecond: 9,
			UserBytesPerDay: 10 << 20, AddressBytesPerDay: 11 << 20, UserRoomsPerHour: 12, AddressRoomsPerHour: 13,
			UserRoomsPerDay: 18, AddressRoomsPerDay: 19, RoomMessagesPerSecond: 20, RoomDeliveriesPerSecond: 21,
			Roles: map[string]float64{"bot": 2.5, "root": 0}, ConnectionsPerUser: 22, HTTPConnections: 23, HTTPConnectionsPerAddress: 24,
			AddressRequestsPerSecond: 25, AddressRequestsBurst: 26,
			Content: 14, Metadata: 15, Rooms: 16, ErrorsPerMinute: 17},
		Chat: Chat{HeartbeatInterval: time.Minute, OperationTimeout: 1500 * time.Millisecond, SessionLifetime: 2 * time.Hour, Sequencers: 1, Workers: 2, Queue: 3, ConnectionQueue: 4,
			HistoryPage: 6, HistoryDefault: 5, HistoryBytes: 7 << 10, ListPage: 8, PresenceList: 9},
	}
	file := `
listen = "[::1]:0"
admin_listen = "unix:/run/hawser-admin.sock"
admin_keys_file = "/etc/hawser/admins"
audit_log = "/var/log/hawser/audit"
socket_mode = "0600"
reuse_port = true
tls_cert = "cert.pem"
tls_key = "/etc/key.pem"
tls_client_ca = "clients.pem"
hsts = "8760h"
hsts_subdomains = true
trusted_proxies = ["10.0.0.0/8", "unix"]
proxy_protocol = true
forwarded_header = "forwarded"
data = '/var/lib/hawser'
preset = "strict"
redis = "rediss-sentinel://ada@a.example,[::1]:7/2?master=chat"
redis_ca = "ca.pem"
redis_cert = "redis.pem"
redis_key = "redis.key"
redis_ack = "disk,replicas:2"
redis_prefix = "chat:"
redis_history = 500
redis_history_age = "2h"
redis_ref_lifetime = "30m"
redis_presence_ttl = "5s"
token_key_file = "/run/secrets/token"
public_origins = [
  "https://chat.example", # ours
  "http://[::1]:8080",
]
base_path = "/chat"
publish_key_file = "/run/secrets/publish"
guests = false
ping_interval = "1.5s"
ping_misses = 3
auth_timeout = "1m"
shutdown_timeout = "0s"
drain_time = "1m"
loops = 4
max_message = 131072
write_queue = "2 MiB"
memory_budget = "3 MiB"
deflate = true
log_level = "warn"
log_format = "json"
alert_webhook = "https://alerts.example/hawser?team=chat"
alert_key_file = "/run/secrets/alerts"

[tls_identities]
"uri:spiffe://example/ada?a=b" = "u_ada"
"dns:bob.example" = "u_bob"

[chat]
heartbeat_interval = "1m"
operation_timeout = "1.5s"
session_lifetime = "2h"
sequencers = 1
workers = 2
queue = 3
connection_queue = 4
history_page = 6
history_default = 5
history_bytes = "7KiB"
list_page = 8
presence_list = 9

[limits]
messages_per_second = 1
burst = 2
connections = 6
connections_per_address = 3
accepts_per_second = 7
handshakes_per_second = 4
guests_per_minute = 5
user_messages_per_second = 8
address_messages_per_second = 9
user_bytes_per_day = "10MiB"
address_bytes_per_day = "11MiB"
user_rooms_per_hour = 12
address_rooms_per_hour = 13
user_rooms_per_day = 18
address_rooms_per_day = 19
room_messages_per_second = 20
room_deliveries_per_second = 21
roles = { bot = 2.5, "root" = 0 }
connections_per_user = 22
http_connections = 23
http_connections_per_address = 24
address_requests_per_second = 25
address_requests_burst = 26
content = 14
metadata = "15B"
rooms = 16
errors_per_minute = 17

[bans]
offences = 18
window = "19s"
duration = "20m"
longest = "21h"
allow = ["192.0.2.0/24", "2001:db8::1"]
`
	environ := []string{
		"HAWSER_LISTEN=[::1]:0",
		"HAWSER_ADMIN_LISTEN=unix:/run/hawser-admin.sock",
		"HAWSER_ADMIN_KEYS_FILE=/etc/hawser/admins",
		"HAWSER_AUDIT_LOG=/var/log/hawser/audit",
		"HAWSER_SOCKET_MODE=600",
		"HAWSER_REUSE_PORT=true",
		"HAWSER_TLS_CERT=cert.pem",
		"HAWSER_TLS_KEY=/etc/key.pem",
		"HAWSER_TLS_CLIENT_CA=clients.pem",
		"HAWSER_HSTS=8760h",
		"HAWSER_HSTS_SUBDOMAINS=true",
		"HAWSER_TLS_IDENTITIES=uri:spiffe://example/ada?a=b=u_ada, dns:bob.example=u_bob",
		"HAWSER_TRUSTED_PROXIES=10.0.0.0/8,unix",
		"HAWSER_PROXY_PROTOCOL=true",
		"HAWSER_FORWARDED_HEADER=forwarded",
		"HAWSER_DATA=/var/lib/hawser",
		"HAWSER_REDIS=rediss-sentinel://ada@a.example,[::1]:7/2?master=chat",
		"HAWSER_REDIS_CA=ca.pem",
		"HAWSER_REDIS_CERT=redis.pem",
		"HAWSER_REDIS_KEY=redis.key",
		"HAWSER_REDIS_ACK=disk,replicas:2",
		"HAWSER_REDIS_PREFIX=chat:",
		"HAWSER_REDIS_HISTORY=500",
		"HAWSER_REDIS_HISTORY_AGE=2h",
		"HAWSER_REDIS_REF_LIFETIME=30m",
		"HAWSER_REDIS_PRESENCE_TTL=5s",
		"HAWSER_TOKEN_KEY_FILE=/run/secrets/token",
		"HAWSER_PUBLIC_ORIGINS=https://chat.example, http://[::1]:8080",
		"HAWSER_BASE_PATH=/chat",
		"HAWSER_PUBLISH_KEY_FILE=/run/secrets/publish",
		"HAWSER_GUESTS=false",
		"HAWSER_PING_INTERVAL=1.5s",
		"HAWSER_PING_MISSES=3",
		"HAWSER_AUTH_TIMEOUT=1m",
		"HAWSER_SHUTDOWN_TIMEOUT=0s",
		"HAWSER_DRAIN_TIME=1m",
		"HAWSER_LOOPS=4",
		"HAWSER_MAX_MESSAGE=128KiB",
		"HAWSER_WRITE_QUEUE=2097152B",
		"HAWSER_MEMORY_BUDGET=3MiB",
		"HAWSER_DEFLATE=true",
		"HAWSER_LOG_LEVEL=warn",
		"HAWSER_LOG_FORMAT=json",
		"HAWSER_LIMITS_MESSAGES_PER_SECOND=1",
		"HAWSER_LIMITS_BURST=2",
		"HAWSER_LIMITS_CONNECTIONS_PER_ADDRESS=3",
		"HAWSER_LIMITS_CONNECTIONS=6",
		"HAWSER_LIMITS_ACCEPTS_PER_SECOND=7",
		"HAWSER_LIMITS_HANDSHAKES_PER_SECOND=4",
		"HAWSER_LIMITS_GUESTS_PER_MINUTE=5",
		"HAWSER_LIMITS_USER_MESSAGES_PER_SECOND=8",
		"HAWSER_LIMITS_ADDRESS_MESSAGES_PER_SECOND=9",
		"HAWSER_LIMITS_USER_BYTES_PER_DAY=10MiB",
		"HAWSER_LIMITS_ADDRESS_BYTES_PER_DAY=11MiB",
		"HAWSER_LIMITS_USER_ROOMS_PER_HOUR=12",
		"HAWSER_LIMITS_ADDRESS_ROOMS_PER_HOUR=13",
		"HAWSER_PRESET=strict",
		"HAWSER_LIMITS_USER_ROOMS_PER_DAY=18",
		"HAWSER_LIMITS_ADDRESS_ROOMS_PER_DAY=19",
		"HAWSER_LIMITS_ROOM_MESSAGES_PER_SECOND=20",
		"HAWSER_LIMITS_ROOM_DELIVERIES_PER_SECOND=21",
		"HAWSER_LIMITS_ROLES=bot=2.5,root=0",
		"HAWSER_LIMITS_CONNECTIONS_PER_USER=22",
		"HAWSER_LIMITS_HTTP_CONNECTIONS=23",
		"HAWSER_LIMITS_HTTP_CONNECTIONS_PER_ADDRESS=24",
		"HAWSER_LIMITS_ADDRESS_REQUESTS_PER_SECOND=25",
		"HAWSER_LIMITS_ADDRESS_REQUESTS_BURST=26",
		"HAWSER_LIMITS_CONTENT=14",
		"HAWSER_LIMITS_METADATA=15B",
		"HAWSER_LIMITS_ROOMS=16",
		"HAWSER_LIMITS_ERRORS_PER_MINUTE=17",
		"HAWSER_ALERT_WEBHOOK=https://alerts.example/hawser?team=chat",
		"HAWSER_ALERT_KEY_FILE=/run/secrets/alerts",
		"HAWSER_BANS_OFFENCES=18",
		"HAWSER_BANS_WINDOW=19s",
		"HAWSER_BANS_DURATION=20m",
		"HAWSER_BANS_LONGEST=21h",
		"HAWSER_BANS_ALLOW=192.0.2.0/24,2001:db8::1",
		"HAWSER_CHAT_HEARTBEAT_INTERVAL=60s",
		"HAWSER_CHAT_OPERATION_TIMEOUT=1500ms",
		"HAWSER_CHAT_SESSION_LIFETIME=2h",
		"HAWSER_CHAT_SEQUENCERS=1",
		"HAWSER_CHAT_WORKERS=2",
		"HAWSER_CHAT_QUEUE=3",
		"HAWSER_CHAT_CONNECTION_QUEUE=4",
		"HAWSER_CHAT_HISTORY_PAGE=6",
		"HAWSER_CHAT_HISTORY_DEFAULT=5",
		"HAWSER_CHAT_HISTORY_BYTES=7KiB",
		"HAWSER_CHAT_LIST_PAGE=8",
		"HAWSER_CHAT_PRESENCE_LIST=9",
	}
	var args []string
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		name = strings.ToLower(strings.TrimPrefix(name, "HAWSER_"))
		name = strings.Replace(name, "limits_", "limits.", 1)
		name = strings.Replace(name, "chat_", "chat.", 1)
		name = strings.Replace(name, "bans_", "bans.", 1)
		args = append(args, "--"+strings.ReplaceAll(name, "_", "-")+"="+value)
	}
	if n := len(environ) + 1; n != len(settings) { // redis_file excludes redis
		t.Errorf("the test knows %d settings, the table %d", n, len(settings))
	}
	for _, tt := range []struct {
		name    string
		file    string
		environ []string
		args    []string
	}{
		{"file", file, nil, nil},
		{"environment", "", environ, nil},
		{"flags", "", nil, args},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := load(tt.file, tt.environ, tt.args...)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPublishKey(t *testing.T) {
	c, err := load("", []string{"HAWSER_PUBLISH_KEY= not in any file \n"})
	if err != nil || c.PublishKey != "not in any file" {
		t.Errorf("%q, %v", c.PublishKey, err)
	}
	if _, err := load("publish_key_file = \"x\"", []string{"HAWSER_PUBLISH_KEY=y"}); err == nil || !strings.Contains(err.Error(), "HAWSER_PUBLISH_KEY") {
		t.Errorf("both: %v", err)
	}
}

func TestPrecedence(t *testing.T) {
	file := "loops = 1\nping_misses = 1\nlimits.burst = 1\n"
	environ := []string{"HAWSER_PING_MISSES=2", "HAWSER_LIMITS_BURST=2", "HAWSER_CONFIG=hawser.toml"}
	got, _, err := Load([]string{"--limits.burst", "3", "-guests"}, environ, func(string) ([]byte, error) {
		return []byte(file), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Loops, want.PingMisses, want.Limits.Burst = 1, 2, 3
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestConfigFlagBeforeVariable(t *testing.T) {
	got, err := load("loops = 7", []string{"HAWSER_CONFIG=absent.toml"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Loops != 7 {
		t.Errorf("loops = %d, want the 7 of the file that the flag names", got.Loops)
	}
}

func TestFileErrors(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"unknown key", "\n\nlissten = \"x\"",
			`hawser.toml:3: lissten: there is no such setting; did you mean listen?`},
		{"unknown key in a table", "loops = 1\n[limits]\nburst = 1\nbrust = 2",
			`hawser.toml:4: limits.brust: there is no such setting; did you mean limits.burst?`},
		{"unknown table", "[limit]\nburst = 1",
			`hawser.toml:2: limit.burst: there is no such setting; did you mean limits.burst?`},
		{"unknown empty table", "\n[limit]",
			`hawser.toml:2: limit: there is no such setting; did you mean limits?`},
		{"unknown key in an inline table", "limits = { burst = 1,  brust = 2 }",
			`hawser.toml:1: limits.brust: there is no such setting; did you mean limits.burst?`},
		{"quoted key is not dotted", "\"limits.burst\" = 1",
			`hawser.toml:1: "limits.burst": there is no such setting; did you mean limits.burst?`},
		{"table is a value", "limits = 3",
			`hawser.toml:1: limits: 3 is not allowed, want a table [limits]`},
		{"table is a list of tables", "[[limits]]\nburst = 1",
			`hawser.toml:1: limits: a list is not allowed, want a table [limits]`},
		{"setting is a table", "[listen]\naddress = 1",
			`hawser.toml:1: listen: a table is not allowed, want an address host:port, unix:PATH, systemd or systemd:NAME`},
		{"file in a file", "config = \"other.toml\"",
			`hawser.toml:1: config: a file cannot name another one; use the flag --config or the variable HAWSER_CONFIG`},
		{"not TOML", "loops = 1\nguests = maybe",
			`hawser.toml:2:10: toml: unexpected character U+006D 'm' at start of value`},
		{"same key twice", "loops = 1\nloops = 2",
			`hawser.toml:2:1: toml: key loops is already defined`},
		{"string for a number", "loops = \"4\"",
			`hawser.toml:1: loops: "4" is not allowed, want a whole number from 0 to 1024`},
		{"fraction for a number", "loops = 1.5",
			`hawser.toml:1: loops: 1.5 is not allowed, want a whole number from 0 to 1024`},
		{"number out of range", "loops = 1025",
			`hawser.toml:1: loops: 1025 is not allowed, want a whole number from 0 to 1024`},
		{"string for a bool", "guests = \"perhaps\"",
			`hawser.toml:1: guests: "perhaps" is not allowed, want true or false`},
		{"number for a duration", "ping_interval = 30",
			`hawser.toml:1: ping_interval: 30 is not allowed, want a duration such as 30s, from 100ms to 1h`},
		{"number for a string", "data = 1",
			`hawser.toml:1: data: 1 is not allowed, want the path of a folder`},
		{"bool for a size", "max_message = true",
			`hawser.toml:1: max_message: true is not allowed, want a size such as 64KiB, from 16KiB to 64MiB`},
		{"size out of range", "max_message = 16383",
			`hawser.toml:1: max_message: 16383 is not allowed, want a size such as 64KiB, from 16KiB to 64MiB`},
		{"string for a list", "public_origins = \"https://a.example\"",
			`hawser.toml:1: public_origins: "https://a.example" is not allowed: it is not a list; want origins scheme://host[:port], or *`},
		{"number in a list", "public_origins = [\"https://a.example\", 7]",
			`hawser.toml:1: public_origins: a list is not allowed: 7 in it is not a string; want origins scheme://host[:port], or *`},
		{"number in a table", "[tls_identities]\n\"dns:ada\" = 7",
			`hawser.toml:1: tls_identities: a table is not allowed: 7 in it is not a string; want ` + wantIdentities},
		{"string for a table", "tls_identities = \"dns:ada\"",
			`hawser.toml:1: tls_identities: "dns:ada" is not allowed: it is not a table; want ` + wantIdentities},
		{"several, in order", "loops = -1\nnope = 1\nguests = 0",
			"hawser.toml:1: loops: -1 is not allowed, want a whole number from 0 to 1024\n" +
				"hawser.toml:2: nope: there is no such setting\n" +
				"hawser.toml:3: guests: 0 is not allowed, want true or false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(tt.file, nil)
			assertError(t, err, tt.want)
		})
	}
}

func TestVariableErrors(t *testing.T) {
	for _, tt := range []struct{ name, entry, want string }{
		{"wrong kind", "HAWSER_LIMITS_BURST=many",
			`variable HAWSER_LIMITS_BURST: limits.burst: "many" is not allowed, want a whole number from 0 to 1000000`},
		{"bool", "HAWSER_GUESTS=perhaps",
			`variable HAWSER_GUESTS: guests: "perhaps" is not allowed, want true or false`},
		{"a service link's value where no link can be", "HAWSER_LOOPS=tcp://10.0.0.7:80",
			`variable HAWSER_LOOPS: loops: "tcp://10.0.0.7:80" is not allowed, want a whole number from 0 to 1024`},
		{"absent file", "HAWSER_CONFIG=absent.toml",
			`configuration file: open absent.toml: file does not exist`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load("", []string{tt.entry})
			assertError(t, err, tt.want)
		})
	}
}

const wantIdentities = `a table of names and user ids, such as "uri:spiffe://example/ada" = "u_ada"; outside of a file NAME=USER,…`

func TestFlagErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown", []string{"--lissten", "x"}, `flag --lissten: there is no such flag; did you mean --listen?`},
		{"unknown, with underscores", []string{"--ping_misses=1"}, `flag --ping_misses: there is no such flag; did you mean --ping-misses?`},
		{"unknown, without its table", []string{"-burst", "1"}, `flag --burst: there is no such flag; did you mean --limits.burst?`},
		{"unknown, like nothing", []string{"--port=1"}, `flag --port: there is no such flag`},
		{"no value", []string{"--listen"}, `flag needs an argument: -listen`},
		{"stray argument", []string{"--guests", "false"},
			`argument "false": not expected; a switch is turned off as --guests=false`},
		{"wrong kind", []string{"--limits.guests-per-minute", "-1"},
			`flag --limits.guests-per-minute: limits.guests_per_minute: "-1" is not allowed, want a whole number from 0 to 1000000`},
		{"duration", []string{"--auth-timeout=5"},
			`flag --auth-timeout: auth_timeout: "5" is not allowed, want a duration such as 30s, from 100ms to 10m`},
		{"duration out of range", []string{"--shutdown-timeout=-1s"},
			`flag --shutdown-timeout: shutdown_timeout: "-1s" is not allowed, want a duration such as 30s, from 0s to 10m`},
		{"choice", []string{"--log-level=loud"},
			`flag --log-level: log_level: "loud" is not allowed, want debug, info, warn or error`},
		{"address without port", []string{"--listen=localhost"},
			`flag --listen: listen: "localhost" is not allowed: it has no port; want an address host:port, unix:PATH, systemd or systemd:NAME`},
		{"address with a bad port", []string{"--listen=:65536"},
			`flag --listen: listen: ":65536" is not allowed: the port is not a number from 0 to 65535; want an address host:port, unix:PATH, systemd or systemd:NAME`},
		{"socket without a path", []string{"--listen=unix:"},
			`flag --listen: listen: "unix:" is not allowed: the path of the socket is missing; want an address host:port, unix:PATH, systemd or systemd:NAME`},
		{"mode", []string{"--socket-mode=0o660"},
			`flag --socket-mode: socket_mode: "0o660" is not allowed, want a mode from 0600 to 0777, in octal`},
		{"networks", []string{"--trusted-proxies=10.1.0.0/8,proxy"},
			`flag --trusted-proxies: trusted_proxies: "10.1.0.0/8,proxy" is not allowed: "10.1.0.0/8" has bits beyond its network; that is 10.0.0.0/8, "proxy" is not an address or network such as 10.0.0.0/8; want addresses and networks such as 10.0.0.0/8, or unix for clients of a Unix socket`},
		{"networks that are no proxies", []string{"--bans.allow=unix,10.0.0.0/8"},
			`flag --bans.allow: bans.allow: "unix,10.0.0.0/8" is not allowed: "unix" is not an address or network such as 10.0.0.0/8; want addresses and networks such as 10.0.0.0/8`},
		{"keys that nobody can use", []string{"--admin-keys-file=x"},
			"admin_keys_file: it is set, but admin_listen is not, so there is nowhere to use the keys"},
		{"identity", []string{"--tls-identities=cn:ada=u_ada"},
			`flag --tls-identities: tls_identities: "cn:ada=u_ada" is not allowed: "cn:ada" does not begin with dns:, uri: or email:, followed by a name; want ` + wantIdentities},
		{"identity of a room", []string{"--tls-identities=dns:ada=lobby"},
			`flag --tls-identities: tls_identities: "dns:ada=lobby" is not allowed: "dns:ada" stands for "lobby", which is not a user id; want ` + wantIdentities},
		{"identity twice", []string{"--tls-identities=dns:ada=u_ada,dns:ada=u_bob"},
			`flag --tls-identities: tls_identities: "dns:ada=u_ada,dns:ada=u_bob" is not allowed: "dns:ada" occurs twice; want ` + wantIdentities},
		{"identity without a user", []string{"--tls-identities=dns:ada"},
			`flag --tls-identities: tls_identities: "dns:ada" is not allowed: "dns:ada" has no =; want ` + wantIdentities},
		{"proxies that nobody trusts", []string{"--proxy-protocol", "--forwarded-header=forwarded", "--tls-identities=dns:ada=u_ada", "--hsts-subdomains"},
			"proxy_protocol: it is on, but trusted_proxies is empty, so no proxy is trusted\n" +
				"forwarded_header: it is set, but trusted_proxies is empty, so no proxy is trusted\n" +
				"tls_identities: it is set, but tls_client_ca is not, so clients are not asked for certificates\n" +
				"hsts_subdomains: it is on, but hsts is 0s, so browsers are told nothing"},
		{"bounds that do not fit", []string{"--chat.history-default=200", "--limits.content=60000", "--limits.metadata=8KiB"},
			"chat.history_default: it is 200, and chat.history_page allows 100\n" +
				"limits.content: it and limits.metadata take 68192 bytes or more, and max_message allows 65536"},
		{"half a second", []string{"--chat.heartbeat-interval=1.5s"},
			`flag --chat.heartbeat-interval: chat.heartbeat_interval: "1.5s" is not allowed, want a duration such as 30s, from 1s to 1h, in whole seconds`},
		{"empty path", []string{"--data="},
			`flag --data: data: "" is not allowed, want the path of a folder`},
		{"size without sense", []string{"--write-queue=1MB"},
			`flag --write-queue: write_queue: "1MB" is not allowed, want a size such as 64KiB, from 64KiB to 1GiB`},
		{"size beyond an int", []string{"--write-queue=9223372036854775807KiB"},
			`flag --write-queue: write_queue: "9223372036854775807KiB" is not allowed, want a size such as 64KiB, from 64KiB to 1GiB`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load("", nil, tt.args...)
			assertError(t, err, tt.want)
		})
	}
}

// A wrong value is reported even if another one overrides it.
func TestErrorsOfAllSources(t *testing.T) {
	_, err := load("loops = -1", []string{"HAWSER_LOOPS=two", "HAWSER_NOPE=1"}, "--loops=3", "--ping-misses=0")
	assertError(t, err, `hawser.toml:1: loops: -1 is not allowed, want a whole number from 0 to 1024
variable HAWSER_LOOPS: loops: "two" is not allowed, want a whole number from 0 to 1024
flag --ping-misses: ping_misses: "0" is not allowed, want a whole number from 1 to 100`)
}

func TestHelp(t *testing.T) {
	if _, err := load("", nil, "--help"); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v, want flag.ErrHelp", err)
	}
}

func assertError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
}

func TestBasePath(t *testing.T) {
	for _, good := range []string{"", "/chat", "/a/b", "/~team/chat-1.0_x"} {
		if c, err := load("", nil, "--base-path", good); err != nil || c.BasePath != good {
			t.Errorf("%q: %q, %v", good, c.BasePath, err)
		}
	}
	for _, bad := range []string{"/", "chat", "/chat/", "//chat", "/a//b", "/..", "/a/../b", "/.well-known", "/a b", "/a%20b", "/a?b", "/ä"} {
		if c, err := load("", nil, "--base-path", bad); err == nil || !strings.Contains(err.Error(), "a path such as /chat") {
			t.Errorf("%q: %q, %v", bad, c.BasePath, err)
		}
	}
}
