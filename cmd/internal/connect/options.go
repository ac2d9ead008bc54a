package connect

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
)

// Options are how to reach a server. The zero value connects with the system's
// certificates, and through the environment's proxy.
type Options struct {
	Header       http.Header `json:"header,omitempty"` // sent along, as written; never Host
	Host         string      `json:"host,omitempty"`   // the Host header; empty: the URL's
	Subprotocols []string    `json:"subprotocols,omitempty"`
	CA           string      `json:"ca,omitempty"`   // PEM of the trusted certificates; empty: the system's
	Cert         string      `json:"cert,omitempty"` // PEM of the client's certificate; empty: none
	Key          string      `json:"key,omitempty"`  // PEM of its private key
	Insecure     bool        `json:"insecure,omitempty"`
	Proxy        string      `json:"proxy,omitempty"` // a URL, None, or empty for the environment's

	// Of the command line, until Complete has read them.
	caFile, certFile, keyFile string
	wrong                     error // the first thing that is wrong with a value
}

// None is the Options.Proxy that connects directly, whatever the environment says.
const None = "none"

// Help describes the flags, a line or two for each.
var Help = func() string {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	new(Options).AddFlags(f)
	return cmdline.Flags(f)
}()

// AddFlags adds the flags that set o. Errors in their values are reported by Complete:
// package flag would print the values, which may hold a password.
func (o *Options) AddFlags(f *flag.FlagSet) {
	f.Func("header", "send the header field `'NAME: VAL'`; repeatable. Host replaces the URL's host in that field only: the address to connect to, and the name in the server's certificate, are the URL's", o.later("--header", o.addHeader))
	f.Func("origin", "send an Origin header with this `origin`", o.later("--origin", func(s string) error { return o.addHeader("Origin: " + s) }))
	f.Func("subprotocol", "offer the subprotocols `A,B`, the preferred first; repeatable", o.addSubprotocols)
	f.StringVar(&o.caFile, "cacert", "", "trust the certificates in this PEM `file`, and no others")
	f.StringVar(&o.caFile, "ca", "", "the same as --cacert `file`")
	f.StringVar(&o.certFile, "cert", "", "PEM `file` with the client certificate to show the server")
	f.StringVar(&o.keyFile, "key", "", "PEM `file` with its private key (default: the file of --cert)")
	f.BoolVar(&o.Insecure, "insecure", false, "do not verify certificates")
	f.Func("proxy", "`URL` of the proxy to connect through: http://, https:// or socks5://HOST:PORT; none connects directly. The default is what HTTP_PROXY (for ws), HTTPS_PROXY (for wss), ALL_PROXY and NO_PROXY say, in upper or lower case; never for this machine", o.later("--proxy", o.setProxy))
}

// later keeps an error for Complete.
func (o *Options) later(flag string, set func(string) error) func(string) error {
	return func(s string) error {
		if err := set(s); err != nil && o.wrong == nil {
			o.wrong = fmt.Errorf("%s: %w", flag, err)
		}
		return nil
	}
}

// addHeader reads NAME: VALUE. The name goes out as it was written.
func (o *Options) addHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok || name == "" {
		return errors.New("want 'NAME: VALUE'")
	}
	value = strings.TrimSpace(value)
	if strings.ContainsAny(value, "\r\n\x00") {
		return fmt.Errorf("the value of %s contains a control character", name)
	}
	lower := strings.ToLower(name)
	switch {
	case lower == "host" && value == "":
		return errors.New("Host is empty")
	case lower == "host" && o.Host != "":
		return errors.New("Host is there twice")
	case lower == "host":
		o.Host = value
		return nil
	case lower == "connection", lower == "upgrade", lower == "content-length", lower == "transfer-encoding", lower == "trailer",
		strings.HasPrefix(lower, "sec-websocket-"):
		return fmt.Errorf("%s is set by the handshake itself", name)
	}
	if o.Header == nil {
		o.Header = http.Header{}
	}
	o.Header[name] = append(o.Header[name], value)
	return nil
}

// addSubprotocols reads a list with commas. Whether the names are right, and
// all different, is for the handshake to say.
func (o *Options) addSubprotocols(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		o.Subprotocols = append(o.Subprotocols, strings.TrimSpace(name))
	}
	return nil
}

func (o *Options) setProxy(s string) error {
	if o.Proxy = s; s == "" {
		o.Proxy = None
	}
	_, err := o.explicitProxy()
	return err
}

// Complete reads the files that the flags name, and checks what they hold.
func (o *Options) Complete() (err error) {
	switch {
	case o.wrong != nil:
		return o.wrong
	case o.Insecure && o.caFile != "":
		return errors.New("--insecure and --cacert contradict each other")
	case o.keyFile != "" && o.certFile == "":
		return errors.New("--key is there without --cert")
	}
	if o.CA, err = read("--cacert", o.caFile, o.CA); err != nil {
		return err
	}
	if o.Cert, err = read("--cert", o.certFile, o.Cert); err != nil {
		return err
	}
	if o.keyFile == "" {
		o.keyFile = o.certFile
	}
	if o.Key, err = read("--key", o.keyFile, o.Key); err != nil {
		return err
	}
	_, err = o.tls()
	return err
}

// read returns what is in a file, or had if none is named.
func read(flag, file, had string) (string, error) {
	if file == "" {
		return had, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	if len(b) == 0 {
		return "", fmt.Errorf("%s: %s is empty", flag, file)
	}
	return string(b), nil
}

// Endpoint returns a ws or wss URL without its user and password, which become an
// Authorization header (RFC 7617) unless the command line has one. So whatever
// prints, logs or keeps the URL from here on does not hold them. An authority may
// hold {port}, as a template does.
func (o *Options) Endpoint(raw string) (string, error) {
	clean, user, err := cutUser(raw)
	if err != nil {
		return "", err
	}
	if user == nil || o.authorized() {
		return clean, nil
	}
	value, err := basic(user)
	if err != nil {
		return "", err
	}
	if o.Header == nil {
		o.Header = http.Header{}
	}
	o.Header.Set("Authorization", value)
	return clean, nil
}

func (o *Options) authorized() bool {
	for name := range o.Header {
		if strings.EqualFold(name, "Authorization") {
			return true
		}
	}
	return false
}
