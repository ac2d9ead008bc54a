package drive

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/dialect"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
)

// Target is the server, and how its connections are made.
type Target struct {
	URL string `json:"url"` // without a user and password
	connect.Options
	Sources []string      `json:"sources,omitempty"`
	Timeout time.Duration `json:"timeout_ns"` // for one connection
}

// sourcePorts returns how many connections one source address can have to one target, by
// the kernel's configuration.
func sourcePorts() int {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	var from, to int
	if err == nil {
		_, err = fmt.Sscan(string(b), &from, &to)
	}
	if err != nil || to < from {
		return 28_232
	}
	return to - from + 1
}

// perSource is how many connections we make from one source address. A third of the ports
// is left unused: finding one of the last free ports is slow, and other programs need some.
func perSource() int { return sourcePorts() * 2 / 3 }

// spread is how many loopback addresses churning connections come from, because a port
// cannot be reused for a while after its connection.
const spread = 32

// sources returns the addresses that n connections to a host come from; none means the
// kernel's choice.
func (t *Target) sources(ctx context.Context, host string, n int, churn bool) ([]netip.Addr, error) {
	if len(t.Sources) > 0 {
		var list []netip.Addr
		for _, s := range t.Sources {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, fmt.Errorf("source address: %w", err)
			}
			list = append(list, a)
		}
		if most := len(list) * sourcePorts(); n > most {
			return nil, fmt.Errorf("%d connections from %d source addresses: each has %d ports, which makes %d; give more with --source, or widen net.ipv4.ip_local_port_range", n, len(list), sourcePorts(), most)
		}
		return list, nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil || len(addrs) == 0 || !addrs[0].Unmap().IsLoopback() {
		if n > sourcePorts() {
			return nil, fmt.Errorf("%d connections to %s need more source ports than the %d of one address; name several with --source, or use agents on other hosts", n, host, sourcePorts())
		}
		return nil, nil
	}
	k := (n + perSource() - 1) / perSource()
	if churn {
		k = max(k, spread)
	}
	if k == 1 {
		return nil, nil
	}
	var list []netip.Addr
	for i := range k {
		// 127.0.0.2, 127.0.0.3 …: all of 127.0.0.0/8 is this host.
		v := 2 + i
		list = append(list, netip.AddrFrom4([4]byte{127, 0, byte(v >> 8), byte(v)}))
	}
	return list, nil
}

// options returns the options for handshake.Dial of a connection from one address. tcp is
// called with the time that the TCP connection took: to the proxy, if there is one.
func (e *Engine) options(from netip.Addr, tcp func(time.Duration)) (*handshake.DialOptions, error) {
	d := &net.Dialer{KeepAlive: -1}
	if from.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
		d.Control = func(_, _ string, c syscall.RawConn) error {
			// Without this bind(2) takes a port that no other connection from
			// the address can use, whatever its target.
			return c.Control(func(fd uintptr) {
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
			})
		}
	}
	o, err := e.dialer.Options(func(ctx context.Context, network, addr string) (net.Conn, error) {
		began := time.Now()
		nc, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		tcp(time.Since(began))
		return server.Adoptable(nc), nil // also below TLS
	})
	if err == nil && e.plan.Deflate {
		o.Deflate = &handshake.DeflateOptions{ServerContextTakeover: true}
	}
	return o, err
}

// token fetches a connection's token as its dialect says.
func (t *Target) token(ctx context.Context, c *http.Client, how *dialect.Token, conn uint32) (string, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return "", err
	}
	u.Scheme = map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	u.Path, u.RawQuery = how.Path, ""
	body := strings.ReplaceAll(how.Body, "{{conn}}", strconv.FormatUint(uint64(conn), 10))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(body))
	if err != nil {
		return "", err
	}
	maps.Copy(req.Header, t.Header)
	req.Host = cmp.Or(t.Host, req.Host)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return "", err
	}
	var fields map[string]any
	if resp.StatusCode != http.StatusOK || json.Unmarshal(b, &fields) != nil {
		return "", fmt.Errorf("POST %s: %s: %.200q", how.Path, resp.Status, b)
	}
	token, ok := fields[how.Field].(string)
	if !ok {
		return "", fmt.Errorf("POST %s: the answer has no text in %q: %.200q", how.Path, how.Field, b)
	}
	return token, nil
}
