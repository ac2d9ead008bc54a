package dialect

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/stamp"
)

// Dialect is one protocol. It is immutable and may be used by any number of
// goroutines.
type Dialect struct {
	Name        string
	Subprotocol string // to offer in the opening handshake, or ""
	Token       *Token // where each connection gets its token, or nil

	source    []byte // the file
	separator []byte // between several parts of one WebSocket message, or nil
	open      []step // of the opening, and from begin on those of a resumption
	begin     int
	session   sessionMarks
	publish   template
	delivery  delivery
	ping      match
	pong      template
	ignore    []match
	refused   []match
}

// Token says how a connection gets its token: by a POST of Body to Path on the server's
// host. The token is in Field of the JSON answer.
type Token struct {
	Path  string `toml:"post"`
	Body  string `toml:"body"`
	Field string `toml:"field"`
}

// step is something to send, or nothing, and the answer to wait for before the next step.
type step struct {
	send   template
	expect match
	rooms  bool // said for each of the connection's rooms, all at once
}

// sessionMarks say where answers have what is needed to resume a session: values in quotes,
// each after one of these texts.
type sessionMarks struct{ id, key, room, position []byte }

// delivery finds published payloads: they are between the texts after and before.
type delivery struct {
	match
	after, before []byte
}

// file is the form of a dialect in a file.
type file struct {
	Name        string     `toml:"name"`
	Subprotocol string     `toml:"subprotocol"`
	Separator   string     `toml:"separator"`
	Token       *Token     `toml:"token"`
	Open        []fileStep `toml:"open"`
	Session     struct {
		ID       string `toml:"id"`
		Key      string `toml:"key"`
		Room     string `toml:"room"`
		Position string `toml:"position"`
	} `toml:"session"`
	Resume  []fileStep `toml:"resume"`
	Publish struct {
		Send string `toml:"send"`
	} `toml:"publish"`
	Delivery struct {
		Contains string `toml:"contains"`
		After    string `toml:"after"`
		Before   string `toml:"before"`
	} `toml:"delivery"`
	Ping struct {
		Equals string `toml:"equals"`
		Answer string `toml:"answer"`
	} `toml:"ping"`
	Ignore struct {
		Contains []string `toml:"contains"`
		Equals   []string `toml:"equals"`
	} `toml:"ignore"`
	Refused struct {
		Contains []string `toml:"contains"`
	} `toml:"refused"`
}

type fileStep struct {
	Send   string `toml:"send"`
	Expect string `toml:"expect"`
	Each   string `toml:"each"`
}

//go:embed files/*.toml
var shipped embed.FS

// Shipped lists the names of the files that Open finds without a path.
func Shipped() (names []string) {
	entries, _ := fs.ReadDir(shipped, "files")
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}

// Open reads a dialect from the file of that name, or one of those that are built in.
func Open(name string) (*Dialect, error) {
	b, err := shipped.ReadFile(path.Join("files", name+".toml"))
	if err != nil {
		b, err = os.ReadFile(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("scenario file %q does not exist; shipped ones are %s", name, strings.Join(Shipped(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("scenario file: %w", err)
	}
	d, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("scenario file %s: %w", name, err)
	}
	return d, nil
}

// Parse reads a dialect as it is written in a file.
func Parse(b []byte) (*Dialect, error) {
	var f file
	dec := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) {
			return nil, errors.New(strict.String())
		}
		var syntax *toml.DecodeError
		if errors.As(err, &syntax) {
			return nil, errors.New(syntax.String())
		}
		return nil, err
	}
	d := &Dialect{Name: f.Name, Subprotocol: f.Subprotocol, Token: f.Token, source: b, separator: []byte(f.Separator)}
	d.ping = match{equals: []byte(f.Ping.Equals)}
	for _, s := range f.Ignore.Contains {
		d.ignore = append(d.ignore, match{contains: []byte(s)})
	}
	for _, s := range f.Ignore.Equals {
		d.ignore = append(d.ignore, match{equals: []byte(s)})
	}
	for _, s := range f.Refused.Contains {
		d.refused = append(d.refused, match{contains: []byte(s)})
	}
	d.delivery = delivery{match{contains: []byte(f.Delivery.Contains)}, []byte(f.Delivery.After), []byte(f.Delivery.Before)}
	for _, t := range []struct {
		key, text string
		to        *template
	}{{"publish.send", f.Publish.Send, &d.publish}, {"ping.answer", f.Ping.Answer, &d.pong}} {
		var err error
		if *t.to, err = parseTemplate(t.text); err != nil {
			return nil, fmt.Errorf("%s: %w", t.key, err)
		}
	}
	d.begin = len(f.Open)
	d.session = sessionMarks{[]byte(f.Session.ID), []byte(f.Session.Key), []byte(f.Session.Room), []byte(f.Session.Position)}
	for i, s := range append(slices.Clone(f.Open), f.Resume...) {
		send, err := parseTemplate(s.Send)
		if err != nil {
			return nil, fmt.Errorf("open, number %d: send: %w", i+1, err)
		}
		if send.has(varPayload) {
			return nil, fmt.Errorf("open, number %d: send: there is no payload yet", i+1)
		}
		if s.Each != "" && s.Each != "room" {
			return nil, fmt.Errorf("open, number %d: each is %q; it may be \"room\"", i+1, s.Each)
		}
		d.open = append(d.open, step{send, match{contains: []byte(s.Expect)}, s.Each == "room"})
	}
	return d, d.check(&f)
}

func (d *Dialect) check(f *file) error {
	switch {
	case f.Name == "":
		return errors.New("name is missing")
	case !d.publish.has(varPayload):
		return errors.New("publish.send does not contain {{payload}}, so messages could not be recognised")
	case f.Delivery.Contains == "":
		return errors.New("delivery.contains is missing: it tells delivered messages from others")
	case f.Delivery.After == "":
		return errors.New("delivery.after is missing: it says where the payload begins")
	case f.Delivery.Before != "" && strings.Trim(f.Delivery.Before, stamp.Characters) == "":
		return fmt.Errorf("delivery.before is %q, which payloads may contain", f.Delivery.Before)
	case f.Ping.Equals == "" && f.Ping.Answer != "":
		return errors.New("ping.answer without ping.equals")
	case len(f.Resume) > 0 && f.Session.ID == "":
		return errors.New("resume without session.id: it says how a session is known")
	case d.Token != nil && (d.Token.Path == "" || d.Token.Field == ""):
		return errors.New("token needs post, a path, and field")
	}
	if d.Token == nil {
		for _, s := range d.open {
			if s.send.has(varToken) {
				return errors.New("open uses {{token}}, but there is no [token]")
			}
		}
	}
	return nil
}

// MarshalText returns the file that the dialect was read from.
func (d *Dialect) MarshalText() ([]byte, error) { return d.source, nil }

// UnmarshalText is Parse.
func (d *Dialect) UnmarshalText(b []byte) error {
	p, err := Parse(b)
	if err == nil {
		*d = *p
	}
	return err
}
