package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Redis is the Redis that several nodes share, and how they use it. See chat/redis.Config.
type Redis struct {
	// URL says where it is, or the file of this name does. Without either there is no Redis,
	// and messages are kept in the data folder.
	URL     RedisURL
	URLFile string

	// CA, Cert and Key are files for TLS: the authorities of Redis's certificate ("" is the
	// system's), and the certificate and key that Redis is shown.
	CA, Cert, Key string

	Ack         RedisAck
	Prefix      string        // of all keys
	History     int           // messages that each conversation keeps
	HistoryAge  time.Duration // how long messages are kept; 0: no limit
	RefLifetime time.Duration
	PresenceTTL time.Duration // time within which the users of a node that dies are gone
}

// On reports whether there is a Redis.
func (r *Redis) On() bool { return len(r.URL.Addresses) > 0 || r.URLFile != "" }

// RedisURL is a parsed URL of a Redis.
type RedisURL struct {
	Addresses                          []string // host:port, or the path of a Unix socket
	Master                             string   // the name by which the Sentinels at the addresses know the master; "": they are none
	TLS                                bool
	Database                           int
	Username, Password                 string
	SentinelUsername, SentinelPassword string
}

const redisForms = "redis://HOST:PORT, with several addresses for a cluster (HOST:PORT,HOST:PORT), redis-sentinel://HOST:PORT,HOST:PORT?master=NAME, the same with rediss:// or rediss-sentinel:// for TLS, or unix:///PATH of a socket"

// String writes the URL without passwords.
func (u RedisURL) String() string {
	if len(u.Addresses) == 0 {
		return ""
	}
	if strings.HasPrefix(u.Addresses[0], "/") {
		return "unix://" + u.Addresses[0]
	}
	scheme := "redis"
	if u.TLS {
		scheme = "rediss"
	}
	rest := ""
	if u.Database > 0 {
		rest = "/" + strconv.Itoa(u.Database)
	}
	if u.Master != "" {
		scheme, rest = scheme+"-sentinel", rest+"?master="+url.QueryEscape(u.Master)
	}
	return scheme + "://" + strings.Join(u.Addresses, ",") + rest
}

// secret reports whether the URL contains a password.
func (u RedisURL) secret() bool { return u.Password != "" || u.SentinelPassword != "" }

// ParseRedisURL reads a URL of a Redis. An error does not contain its passwords.
func ParseRedisURL(text string) (u RedisURL, err error) {
	scheme, rest, ok := strings.Cut(text, "://")
	port := "6379"
	switch sentinels := strings.HasSuffix(scheme, "-sentinel"); strings.TrimSuffix(scheme, "-sentinel") {
	case "redis", "rediss":
		u.TLS = strings.HasPrefix(scheme, "rediss")
		if sentinels {
			port = "26379"
		}
	default:
		ok = ok && scheme == "unix"
	}
	if !ok {
		return u, errors.New("it does not begin with redis://, rediss://, redis-sentinel://, rediss-sentinel:// or unix://")
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		if err := u.user(rest[:i]); err != nil {
			return RedisURL{}, err
		}
		rest = rest[i+1:]
	}
	if scheme == "unix" {
		if !strings.HasPrefix(rest, "/") || strings.Contains(rest, "?") {
			return RedisURL{}, errors.New("what follows unix:// is not the path of a socket that begins with /")
		}
		u.Addresses = []string{rest}
		return u, nil
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, database, hasDatabase := strings.Cut(rest, "/")
	for host := range strings.SplitSeq(hosts, ",") {
		address, ok := redisAddress(strings.TrimSpace(host), port)
		if !ok {
			return RedisURL{}, fmt.Errorf("address %d in it is not HOST or HOST:PORT", len(u.Addresses)+1)
		}
		u.Addresses = append(u.Addresses, address)
	}
	if err := u.query(query, port == "26379"); err != nil {
		return RedisURL{}, err
	}
	if hasDatabase && database != "" {
		n, err := strconv.Atoi(database)
		switch {
		case err != nil || n < 0:
			return RedisURL{}, errors.New("what follows its / is not the number of a database")
		case n > 0 && len(u.Addresses) > 1 && u.Master == "":
			return RedisURL{}, errors.New("a cluster, which several addresses are, has no databases")
		}
		u.Database = n
	}
	return u, nil
}

// user parses the part before the @.
func (u *RedisURL) user(text string) (err error) {
	name, password, _ := strings.Cut(text, ":")
	if strings.ContainsAny(text, "/?@,") || strings.Count(text, ":") > 1 {
		return errors.New("the user or the password contains / ? @ : or a comma, which must be written as %2F %3F %40 %3A %2C")
	}
	u.Username, err = url.PathUnescape(name)
	if err == nil {
		u.Password, err = url.PathUnescape(password)
	}
	if err != nil {
		return errors.New("the user or the password contains a % that is not the beginning of an escape such as %25")
	}
	return nil
}

func (u *RedisURL) query(text string, sentinels bool) error {
	values, err := url.ParseQuery(text)
	if err != nil {
		return errors.New("what follows its ? cannot be read")
	}
	for name, list := range values {
		switch {
		case len(list) > 1:
			return errors.New("it says something twice after its ?")
		case sentinels && name == "master":
			u.Master = list[0]
		case sentinels && name == "sentinel_user":
			u.SentinelUsername = list[0]
		case sentinels && name == "sentinel_password":
			u.SentinelPassword = list[0]
		case sentinels:
			return errors.New("something after its ? is not known; there are master, sentinel_user and sentinel_password")
		case name == "master":
			return errors.New("a master is only known to Sentinels, whose URL begins with redis-sentinel://")
		default:
			return errors.New("it goes on after a ?, which only one of Sentinels does")
		}
	}
	if sentinels && u.Master == "" {
		return errors.New("it does not say by which name the Sentinels know the master: ?master=NAME")
	}
	return nil
}

// redisAddress returns host:port.
func redisAddress(text, port string) (address string, ok bool) {
	host := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]") // an IPv6 address alone
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	} else if strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return "", false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	ok = err == nil && n > 0 && host != "" && !strings.ContainsAny(host, " /[]")
	return net.JoinHostPort(host, port), ok
}

var redisScheme = regexp.MustCompile(`^[a-z+-]{1,20}://`)

// showRedisURL returns the part of a text that may be shown; the text should be a URL. If it
// cannot be parsed, it is unknown where its password is.
func showRedisURL(text string) string {
	if u, err := ParseRedisURL(strings.TrimSpace(text)); err == nil {
		return quote(u.String())
	}
	return "the URL " + quote(redisScheme.FindString(text)+"…")
}

// redisURL allows passwords: setting.public refuses them where they do not belong.
func redisURL() kind[RedisURL] {
	k := textKind("a URL "+redisForms+"; or nothing", "URL", func(s string) (RedisURL, error) {
		if s == "" {
			return RedisURL{}, nil
		}
		return ParseRedisURL(s)
	}, RedisURL.String)
	k.show = showRedisURL
	k.public = func(u RedisURL) error {
		if !u.secret() {
			return nil
		}
		return errors.New("it contains a password, which others could read here; put the URL into a file (redis_file) or into the variable " + redisVariable)
	}
	return k
}

// RedisAck says when a message counts as stored. See chat/redis.Ack.
type RedisAck struct {
	Disk     bool
	Replicas int
}

func (a RedisAck) String() string {
	var parts []string
	if a.Disk {
		parts = append(parts, "disk")
	}
	if a.Replicas > 0 {
		parts = append(parts, "replicas:"+strconv.Itoa(a.Replicas))
	}
	if parts == nil {
		return "memory"
	}
	return strings.Join(parts, ",")
}

const maxReplicas = 10

func redisAck() kind[RedisAck] {
	return textKind(fmt.Sprintf("memory, disk, replicas:N with N from 1 to %d, or disk,replicas:N", maxReplicas), "LEVEL", func(s string) (a RedisAck, err error) {
		for part := range strings.SplitSeq(strings.ToLower(s), ",") {
			part = strings.TrimSpace(part)
			digits, replicas := strings.CutPrefix(part, "replicas:")
			n, err := strconv.Atoi(digits)
			switch {
			case part == "memory" && strings.TrimSpace(strings.ToLower(s)) == part:
			case part == "disk" && !a.Disk:
				a.Disk = true
			case replicas && err == nil && n >= 1 && n <= maxReplicas && a.Replicas == 0:
				a.Replicas = n
			default:
				return RedisAck{}, errRefused
			}
		}
		return a, nil
	}, RedisAck.String)
}

var redisPrefixForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// redisPrefix has no braces: they would determine where in a cluster everything is.
func redisPrefix() kind[string] {
	return textKind("1 to 64 letters, digits and _ . : -", "PREFIX", func(s string) (string, error) {
		if !redisPrefixForm.MatchString(s) {
			return "", errRefused
		}
		return s, nil
	}, same)
}
