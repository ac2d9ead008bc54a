package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRedisURLs(t *testing.T) {
	for text, want := range map[string]RedisURL{
		"redis://localhost":                    {Addresses: []string{"localhost:6379"}},
		"rediss://r.example:7000/3":            {Addresses: []string{"r.example:7000"}, TLS: true, Database: 3},
		"redis://[2001:db8::1],10.0.0.1:7/":    {Addresses: []string{"[2001:db8::1]:6379", "10.0.0.1:7"}},
		"redis://:p%40ss%3A%2F@h":              {Addresses: []string{"h:6379"}, Password: "p@ss:/"},
		"unix:///run/redis.sock":               {Addresses: []string{"/run/redis.sock"}},
		"unix://ada:secret@/run/redis.sock":    {Addresses: []string{"/run/redis.sock"}, Username: "ada", Password: "secret"},
		"redis://ada:secret@h":                 {Addresses: []string{"h:6379"}, Username: "ada", Password: "secret"},
		"redis-sentinel://a,b:1/2?master=chat": {Addresses: []string{"a:26379", "b:1"}, Master: "chat", Database: 2},
		"rediss-sentinel://:p@a?master=m%20n&sentinel_user=s&sentinel_password=q%26": {
			Addresses: []string{"a:26379"}, Master: "m n", TLS: true, Password: "p", SentinelUsername: "s", SentinelPassword: "q&"},
	} {
		got, err := ParseRedisURL(text)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", text, err, d)
		}
		bare, err := ParseRedisURL(got.String())
		got.Username, got.Password, got.SentinelUsername, got.SentinelPassword = "", "", "", ""
		if d := cmp.Diff(got, bare); err != nil || d != "" {
			t.Errorf("%s is written as %s: %v %s", text, got, err, d)
		}
	}
}

// An invalid text is refused with the reason, and never shown: it may have a password
// anywhere. Each of these contains Secret.
func TestWrongRedisURLs(t *testing.T) {
	for text, want := range map[string]string{
		"secret":                                   "it does not begin with redis://",
		"http://:secret@h":                         "it does not begin with redis://",
		"redis-cluster://:secret@h":                "it does not begin with redis://",
		"unix-sentinel://secret":                   "it does not begin with redis://",
		"unix://secret":                            "what follows unix:// is not the path of a socket",
		"unix://:secret@/s?db=1":                   "what follows unix:// is not the path of a socket",
		"redis://:secret":                          "address 1 in it is not HOST or HOST:PORT",
		"redis://h:secret":                         "address 1 in it is not HOST or HOST:PORT",
		"redis://:secret@":                         "address 1 in it is not HOST or HOST:PORT",
		"redis://:secret@h,h:70000":                "address 2 in it is not HOST or HOST:PORT",
		"redis://:secret@h,":                       "address 2 in it is not HOST or HOST:PORT",
		"redis://:secret@h/one":                    "what follows its / is not the number of a database",
		"redis://:secret@h/-1":                     "what follows its / is not the number of a database",
		"redis://:secret@a,b/1":                    "a cluster, which several addresses are, has no databases",
		"redis://:sec/ret@h?secret":                "the user or the password contains /",
		"redis://:secret:more@h":                   "the user or the password contains /",
		"redis://:secret%@h":                       "a % that is not the beginning of an escape",
		"redis://:secret@h?master=m":               "a master is only known to Sentinels",
		"redis://:secret@h?password=secret":        "only one of Sentinels",
		"redis-sentinel://:secret@h":               "?master=NAME",
		"redis-sentinel://h?master=secret&secret=": "is not known; there are master",
		"redis-sentinel://h?master=secret&master=": "twice",
	} {
		_, err := load("", []string{"HAWSER_REDIS=" + text})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "variable HAWSER_REDIS: redis: the URL \"") {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows what may be a password: %v", err)
		}
	}
}

// X12: passwords are accepted from the environment, and from no place that others can
// read.
func TestX12RedisPasswords(t *testing.T) {
	const text = "redis://ada:hunter2@h"
	c, err := load(`token_key_file = "k"`, []string{"HAWSER_REDIS=" + text})
	if err != nil || c.Redis.URL.Password != "hunter2" || !c.Redis.On() {
		t.Errorf("%+v, %v", c.Redis, err)
	}
	const why = `"redis://h:6379" is not allowed: it contains a password, which others could read here; put the URL into a file (redis_file) or into the variable HAWSER_REDIS; want a URL ` + redisForms + "; or nothing"
	_, err = load(`token_key_file = "k"`, nil, "--redis="+text)
	assertError(t, err, "flag --redis: redis: "+why)
	_, err = load("token_key_file = \"k\"\nredis = \""+text+"\"", nil)
	assertError(t, err, "hawser.toml:2: redis: "+why)
	_, err = load(`token_key_file = "k"`, nil, "--redis=redis-sentinel://h?master=m&sentinel_password=hunter2")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "it contains a password") {
		t.Errorf("the Sentinels' password: %v", err)
	}
}

func TestRedisSettingsTogether(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--redis=redis://h"}, `token_key_file: it is not set, but redis is: all nodes need copies of one key, which "hawser new-key FILE" makes`},
		{[]string{"--redis-file=f"}, `token_key_file: it is not set, but redis is: all nodes need copies of one key, which "hawser new-key FILE" makes`},
		{[]string{"--token-key-file=k"}, `token_key_file: it is set, but redis is not, and the key of a single node is in data`},
		{[]string{"--redis-file=f", "--redis=redis://h", "--token-key-file=k"}, `redis_file: it is set, and so is redis; only one of them is allowed`},
		{[]string{"--redis=rediss://h", "--token-key-file=k", "--redis-cert=c"}, `redis_cert: it and redis_key belong together, and only one of them is set`},
		{[]string{"--redis=redis://h", "--token-key-file=k", "--redis-ca=c"}, `redis_ca, redis_cert: they are for TLS, and redis does not begin with rediss://`},
	} {
		_, err := load("", nil, tt.args...)
		assertError(t, err, tt.want)
	}
	if c, err := load("", nil, "--redis-file=f", "--token-key-file=k", "--redis-ca=c"); err != nil || !c.Redis.On() {
		t.Errorf("%+v, %v", c.Redis, err)
	}
	if c := Default(); c.Redis.On() {
		t.Error("there is a Redis by default")
	}
}

func TestRedisAck(t *testing.T) {
	for text, want := range map[string]RedisAck{
		"memory": {}, "Disk": {Disk: true}, "replicas:2": {Replicas: 2}, "disk, replicas:1": {Disk: true, Replicas: 1}, "replicas:1,disk": {Disk: true, Replicas: 1},
	} {
		c, err := load("", nil, "--redis-ack="+text)
		if err != nil || c.Redis.Ack != want {
			t.Errorf("%s: %+v, %v", text, c.Redis.Ack, err)
		}
	}
	for _, text := range []string{"", "replicas", "replicas:0", "replicas:11", "disk,disk", "memory,disk", "replicas:1,replicas:2", "always"} {
		if _, err := load("", nil, "--redis-ack="+text); err == nil || !strings.Contains(err.Error(), "want memory, disk, replicas:N with N from 1 to 10, or disk,replicas:N") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
