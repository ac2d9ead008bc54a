package api

import (
	"mime"
	"net/http"

	"github.com/hawser-ws/hawser/chat"
)

// checkSource refuses requests that a page of another site can make its visitor's browser
// send: those that browsers mark as such (Fetch Metadata), those with an Origin that may not
// connect, and those whose body is declared as anything but JSON, which a form's is. Programs
// that are not browsers may omit all three headers.
func (g *Guests) checkSource(r *http.Request) *chat.Failure {
	site := r.Header.Get("Sec-Fetch-Site")
	other := site == "cross-site" || site == "same-site"
	if other && (r.Header.Get("Origin") == "" || g.CheckOrigin == nil) {
		return &chat.Failure{Code: 403, Reason: "cross_site", Message: "the request comes from a page of another site"}
	}
	if g.CheckOrigin != nil {
		if err := g.CheckOrigin(r); err != nil {
			return &chat.Failure{Code: 403, Reason: "cross_site", Message: err.Error()}
		}
	}
	if lines := r.Header.Values("Content-Type"); len(lines) > 0 {
		if kind, _, err := mime.ParseMediaType(lines[0]); err != nil || kind != "application/json" || len(lines) > 1 {
			return &chat.Failure{Code: 415, Reason: "not_json", Message: "the Content-Type is not application/json"}
		}
	}
	return nil
}
