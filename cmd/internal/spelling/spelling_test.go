package spelling

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"listen", "data", "loops", "ping_interval", "ping_misses", "tls_cert", "tls_key", "limits.burst", "limits.connections", "limits.connections_per_address"}
	for _, c := range []struct{ name, want string }{
		{"listn", "listen"}, {"lisetn", "listen"}, {"LISTEN", "listen"}, {"listens", "listen"}, {"date", "data"},
		{"ping-misses", "ping_misses"}, {"ping_mises", "ping_misses"}, {"pinginterval", "ping_interval"},
		{"tls_crt", "tls_cert"}, {"tls.key", "tls_key"},
		{"burst", "limits.burst"}, {"brust", "limits.burst"}, {"limit.burst", "limits.burst"}, {`"limits.burst"`, "limits.burst"}, {"LIMITS_BURTS", "limits.burst"},
		{"connection", "limits.connections"}, {"connections_per_addr", "limits.connections_per_address"},
		{"listen_address", "listen"},
		{"port", ""}, {"x", ""}, {"", ""}, {"version", ""}, {"service_name", ""},
	} {
		if got := Nearest(c.name, names); got != c.want {
			t.Errorf("%q: %q; want %q", c.name, got, c.want)
		}
	}
	if got := DidYouMean("lsten", names); got != "; did you mean listen?" {
		t.Error(got)
	}
	if got := DidYouMean("port", names); got != "" {
		t.Error(got)
	}
}
