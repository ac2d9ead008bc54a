package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// clientTimeout is how long an answer may take: somewhat longer than the server does.
const clientTimeout = 15 * time.Second

// maxAnswer is the maximum size of an answer, in bytes.
const maxAnswer = 16 << 20

// Client sends requests to a server.
type Client struct {
	address string // as it was given, for errors
	base    string // URL without a slash at its end
	key     string
	http    *http.Client
}

// NewClient returns a client of the server at an address: a URL with http or https, host:port,
// or unix: and the path of a socket.
func NewClient(address, key string) (*Client, error) {
	c := &Client{address: address, key: key}
	// A proxy, or another place that an answer points to, must not get the key.
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	c.http = &http.Client{Transport: transport, Timeout: clientTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
		c.base = "http://hawser"
		return c, nil
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not an address, want http://HOST:PORT, https://HOST:PORT, HOST:PORT or unix:PATH", c.address)
	}
	c.base = strings.TrimSuffix(u.String(), "/")
	return c, nil
}

// Ban bans a user, an address or a network for a time; 0 means until the ban is lifted.
func (c *Client) Ban(ctx context.Context, subject, reason string, d time.Duration) (a BanAnswer, err error) {
	err = c.do(ctx, http.MethodPost, "/admin/bans", BanRequest{Subject: subject, Reason: reason, ForMS: d.Milliseconds()}, &a)
	return a, err
}

// Unban lifts a ban. The reason may be empty.
func (c *Client) Unban(ctx context.Context, subject, reason string) (a UnbanAnswer, err error) {
	q := url.Values{"subject": {subject}}
	if reason != "" {
		q.Set("reason", reason)
	}
	err = c.do(ctx, http.MethodDelete, "/admin/bans?"+q.Encode(), nil, &a)
	return a, err
}

// Bans returns all bans in force. It asks for page bans at a time; 0 leaves it to the server.
func (c *Client) Bans(ctx context.Context, page int) (bans []chat.Ban, err error) {
	q := url.Values{}
	if page > 0 {
		q.Set("limit", strconv.Itoa(page))
	}
	for {
		var a BansAnswer
		if err := c.do(ctx, http.MethodGet, "/admin/bans?"+q.Encode(), nil, &a); err != nil {
			return nil, err
		}
		bans = append(bans, a.Bans...)
		if a.Next == "" {
			return bans, nil
		}
		q.Set("after", a.Next)
	}
}

// Kick ends all sessions of a user. The reason may be empty.
func (c *Client) Kick(ctx context.Context, user, reason string) (a KickAnswer, err error) {
	err = c.do(ctx, http.MethodPost, "/admin/kick", KickRequest{User: user, Reason: reason}, &a)
	return a, err
}

// Limits returns the server's limits.
func (c *Client) Limits(ctx context.Context) ([]Limit, error) {
	var a LimitsAnswer
	err := c.do(ctx, http.MethodGet, "/admin/limits", nil, &a)
	return a.Limits, err
}

// do makes a request and reads the answer. The error is an *Error if the server refuses it.
func (c *Client) do(ctx context.Context, method, path string, body, answer any) error {
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		var wrapped *url.Error // which would repeat the whole URL
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return fmt.Errorf("cannot reach the server at %s: %w", c.address, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer of the server at %s broke off, so it is not known what was done: %w", c.address, err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(text, answer); err != nil {
			return fmt.Errorf("the answer of the server at %s cannot be read: %w", c.address, err)
		}
		return nil
	}
	var refusal struct {
		Type string `json:"type"`
		Error
	}
	if json.Unmarshal(text, &refusal) != nil || refusal.Type != "error" {
		return fmt.Errorf("the server at %s answers %s to %s; is it a hawser of this version, and is that its admin_listen?", c.address, resp.Status, method+" /admin/…")
	}
	return &refusal.Error
}
