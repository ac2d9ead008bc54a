package connecttest

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
)

// Proxy is a proxy that reaches every name at one server. It lets only the user
// "me" with the password "proxysecret" through.
type Proxy struct {
	Addr string

	to    string
	mu    sync.Mutex
	asked []string
}

// Kinds are the schemes of the proxies that there are.
var Kinds = []string{"http", "https", "socks5"}

// NewProxy starts a proxy of one kind. config is an https proxy's.
func NewProxy(t testing.TB, kind, to string, config *tls.Config) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: ln.Addr().String(), to: to}
	if kind == "https" {
		ln = tls.NewListener(ln, config)
	}
	admit := p.connect
	if kind == "socks5" {
		admit = p.socks
	}
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { ln.Close() })
	running.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer nc.Close()
				br := bufio.NewReader(nc)
				if name := admit(nc, br); name != "" {
					p.mu.Lock()
					p.asked = append(p.asked, name)
					p.mu.Unlock()
					p.tunnel(nc, br)
				}
			})
		}
	})
	return p
}

// Asked are the names it was asked for since it was called last, each once.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	seen := map[string]bool{}
	for _, name := range p.asked {
		if !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	p.asked = nil
	return list
}

func (p *Proxy) tunnel(nc net.Conn, br *bufio.Reader) {
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		io.Copy(far, br)
		far.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(nc, far)
}

// connect is RFC 9110 §9.3.6 with Basic authentication.
func (p *Proxy) connect(nc net.Conn, br *bufio.Reader) string {
	r, err := http.ReadRequest(br)
	if err != nil {
		return ""
	}
	// The header has another name, and the same form.
	r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
	if user, password, _ := r.BasicAuth(); user != "me" || password != "proxysecret" {
		io.WriteString(nc, "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"rig\"\r\nContent-Length: 0\r\n\r\n")
		return ""
	}
	if r.Method != http.MethodConnect {
		io.WriteString(nc, "HTTP/1.1 405 x\r\nContent-Length: 0\r\n\r\n")
		return ""
	}
	io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\n")
	return r.Host
}

// socks is RFC 1928 with RFC 1929.
func (p *Proxy) socks(nc net.Conn, br *bufio.Reader) string {
	block := func(n byte) []byte {
		b := make([]byte, n)
		io.ReadFull(br, b)
		return b
	}
	block(block(2)[1])
	nc.Write([]byte{5, 2})
	user := string(block(block(2)[1]))
	if password := string(block(block(1)[0])); user != "me" || password != "proxysecret" {
		nc.Write([]byte{1, 1})
		return ""
	}
	nc.Write([]byte{1, 0})
	var name string
	switch head := block(4); head[3] {
	case 1:
		name = net.IP(block(4)).String()
	case 3:
		name = string(block(block(1)[0]))
	default:
		return fmt.Sprintf("an address of type %d", head[3])
	}
	port := strconv.Itoa(int(binary.BigEndian.Uint16(block(2))))
	nc.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return net.JoinHostPort(name, port)
}
