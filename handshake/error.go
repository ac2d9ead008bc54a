package handshake

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Error says that one side refused the handshake, and why.
//
// In the server's role, Status and Reason were sent to the client. A Status of 500 means
// that this server's own hooks, options or response writer are at fault, any other that
// the request is. In the client's role, Status is the server's. A Status of 101 means
// that the server agreed, but that its answer violates RFC 6455 or RFC 7692.
type Error struct {
	Status int    // HTTP status code
	Reason string // what is wrong, and in which header; the peer's text is quoted and shortened

	// Header holds, in the server's role, fields of the refusal, such as Retry-After or
	// WWW-Authenticate; it may be nil. In the client's role it is the response's.
	Header http.Header

	Body []byte // of the response, its first 4 KiB; in the client's role only
}

func (e *Error) Error() string {
	status := strconv.Itoa(e.Status)
	if text := http.StatusText(e.Status); text != "" {
		status += " " + text
	}
	return "handshake: " + status + ": " + e.Reason
}

// refusef returns the Error of a server that answers with status.
func refusef(status int, format string, args ...any) *Error {
	return &Error{Status: status, Reason: fmt.Sprintf(format, args...)}
}

// found describes the value that the peer sent in a header.
func found(name string, lines []string) string {
	switch len(lines) {
	case 0:
		return "missing " + name + " header"
	case 1:
		return name + " header: " + quote(lines[0])
	}
	return fmt.Sprintf("%s header, given %d times: %s", name, len(lines), quote(strings.Join(lines, ", ")))
}

// quote makes the peer's text safe for a log line and a response body: one line of
// printable ASCII, shortened.
func quote(s string) string {
	const most = 128
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
