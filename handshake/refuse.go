package handshake

import (
	"net/http"
)

// Refuse answers a request with e.Status, the fields of e.Header and, as plain text,
// e.Reason. Unless e.Header says something else, the fields that the status demands are
// added: Allow for 405, Upgrade and Sec-WebSocket-Version for 426. With 500, or a Status
// that is no refusal (below 300), the client is told only that the server has failed.
//
// The connection is closed, because what the client sent after an opening handshake is
// meant for a WebSocket and must not be read as HTTP. Over HTTP/2 only the stream ends.
//
// Upgrade and Verify refuse requests by themselves. Refuse is for what an application
// checks before it calls them, so that the client is answered in the same form.
func Refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	h := w.Header()
	for name, values := range e.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	status, text := e.Status, e.Reason
	if status < 300 || status > 599 || status == http.StatusInternalServerError {
		status = http.StatusInternalServerError
		text = http.StatusText(status) // the reason is for the log only
	}
	closes := r.ProtoMajor == 1 // HTTP/2 would end the other streams, too
	if closes {
		h.Set("Connection", "close")
	}
	switch status {
	case http.StatusMethodNotAllowed:
		setDefault(h, "Allow", http.MethodGet)
	case http.StatusUpgradeRequired:
		// 4.2.2: "and a |Sec-WebSocket-Version| header field indicating the
		// version(s) the server is capable of understanding."
		if len(h[versionHeader]) == 0 {
			h["Sec-WebSocket-Version"] = []string{"13"}
		}
		// RFC 7231 §6.5.15: "The server MUST send an Upgrade header field in a
		// 426 response", and by RFC 7230 §6.7 Connection must list it, on a line of its
		// own: net/http closes the connection only if the first line is "close".
		if closes {
			setDefault(h, "Upgrade", "websocket")
			h.Add("Connection", "Upgrade")
		}
	}
	http.Error(w, text, status)
}

func setDefault(h http.Header, name, value string) {
	if h.Get(name) == "" {
		h.Set(name, value)
	}
}
