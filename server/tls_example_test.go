package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// A Server inside an http.Server of one's own, with TLS, HTTP/2 for the other paths, and a
// graceful stop.
func ExampleAdoptableListener() {
	s, err := server.New(server.Config{Handler: echo{}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", s)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "a page over ", r.Proto) })

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	certificate, roots := exampleCertificate()
	hs := &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	go hs.ServeTLS(server.AdoptableListener(ln), "", "")

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	o := &wsconn.DialOptions{TLSConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
	c, err := wsconn.Dial(ctx, "wss://"+ln.Addr().String()+"/ws", o)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	c.Write(ctx, frame.Text, []byte("a message"))
	_, p, err := c.Read(ctx)
	fmt.Println(string(p), err)

	browser := &http.Client{Transport: &http.Transport{TLSClientConfig: o.TLSConfig, ForceAttemptHTTP2: true}}
	resp, err := browser.Get("https://" + ln.Addr().String() + "/")
	if err != nil {
		log.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Println(string(page))

	// Stop: first no new requests, then every WebSocket is closed with 1001.
	go c.CloseRead(ctx) // the client answers
	fmt.Println(hs.Shutdown(ctx), s.Shutdown(ctx))
	// Output:
	// a message <nil>
	// a page over HTTP/2.0
	// <nil> <nil>
}

// exampleCertificate returns a certificate for example.com. A program loads its own, or
// uses autocert.
func exampleCertificate() (tls.Certificate, *x509.CertPool) {
	ts := httptest.NewUnstartedServer(nil)
	ts.StartTLS()
	defer ts.Close()
	roots := x509.NewCertPool()
	roots.AddCert(ts.Certificate())
	return ts.TLS.Certificates[0], roots
}

// Two kinds of connections on one Server, each with its own handler, limits and log-in.
func ExampleServer_Endpoint() {
	s, err := server.New(server.Config{Handler: echo{}})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/echo", s)
	http.Handle("/upload", s.Endpoint(server.Endpoint{
		Handler:    echo{},
		MaxMessage: 8 << 20,
		Admit: func(r *http.Request) (any, error) {
			user, _, ok := r.BasicAuth()
			if !ok {
				return nil, &handshake.Error{Status: http.StatusUnauthorized, Reason: "log in first", Header: http.Header{"WWW-Authenticate": {"Basic"}}}
			}
			return user, nil // LoopConn.Value
		},
	}))
	log.Fatal(http.ListenAndServe("127.0.0.1:9001", nil))
}
