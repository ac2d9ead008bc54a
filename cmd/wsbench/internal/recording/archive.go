package recording

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// archive is an HTTP archive (HAR 1.2), as far as it matters: browsers add the messages of
// a WebSocket connection to the entry of its opening handshake.
type archive struct {
	Log struct {
		Entries []struct {
			Request struct {
				URL string `json:"url"`
			} `json:"request"`
			Messages []struct {
				Type   string  `json:"type"` // send or receive
				Time   float64 `json:"time"` // seconds since 1970
				Opcode int     `json:"opcode"`
				Data   string  `json:"data"` // base64 for binary messages
			} `json:"_webSocketMessages"`
		} `json:"entries"`
	} `json:"log"`
}

func parseArchive(b []byte) (sessions []Session, err error) {
	var a archive
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("as an HTTP archive: %w", err)
	}
	for _, e := range a.Log.Entries {
		var s Session
		for i, m := range e.Messages {
			wrong := func(err error) error { return fmt.Errorf("%s: message %d: %w", e.Request.URL, i+1, err) }
			if m.Type != "send" && m.Type != "receive" {
				return nil, wrong(fmt.Errorf("its type is %q, neither send nor receive", m.Type))
			}
			if m.Opcode != 1 && m.Opcode != 2 {
				continue // a control frame: wsbench answers its own
			}
			at, err := nanoseconds(m.Time)
			if err != nil {
				return nil, wrong(err)
			}
			data, err := payload(m.Data, m.Opcode == 2)
			if err != nil {
				return nil, wrong(err)
			}
			s = append(s, Message{At: at, Sent: m.Type == "send", Binary: m.Opcode == 2, Data: data})
		}
		if len(s) > 0 {
			sessions = append(sessions, s)
		}
	}
	if len(sessions) == 0 {
		return nil, errors.New("the HTTP archive has no WebSocket messages: export it while the connection is open, with content")
	}
	return sessions, nil
}

func payload(text string, binary bool) ([]byte, error) {
	if !binary {
		return []byte(text), nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("a binary message must be in base64: %w", err)
	}
	return data, nil
}
