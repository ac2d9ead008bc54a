package handshake

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Error is a handshake that one side refused.
//
// In the server's role it says what the client was answered: a Status of 500
// blames this server's own hooks, options or response writer, any other the
// request. In the client's role it says what the server answered: a Status of
// 101 means that it agreed, but that its answer breaks RFC 6455 or RFC 7692.
type Error struct {
	Status int    // HTTP status code
	Reason string // what is wrong, naming the header; bytes of the peer's are quoted and cut

	// Client role only.
	Header http.Header // of the response
	Body   []byte      // of the response, its first 4 KiB
}

func (e *Error) Error() string {
	status := strconv.Itoa(e.Status)
	if text := http.StatusText(e.Status); text != "" {
		status += " " + text
	}
	return "handshake: " + status + ": " + e.Reason
}

// refusef makes the Error of a server that answers status.
func refusef(status int, format string, args ...any) *Error {
	return &Error{Status: status, Reason: fmt.Sprintf(format, args...)}
}

// found says what the peer sent in the lines of the header name.
func found(name string, lines []string) string {
	switch len(lines) {
	case 0:
		return "missing " + name + " header"
	case 1:
		return name + " header: " + quote(lines[0])
	}
	return fmt.Sprintf("%s header, given %d times: %s", name, len(lines), quote(strings.Join(lines, ", ")))
}

// quote makes the peer's bytes fit for a log line and a response body: one
// line, nothing but printable characters, and not much of it.
func quote(s string) string {
	const most = 128
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
