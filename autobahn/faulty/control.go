package faulty

import (
	"encoding/binary"
	"io"
	"time"
	"unicode/utf8"
)

// control takes a control frame.
func (e *endpoint) control(h header) error {
	if h.length > maxMessage {
		return &failure{1002, "a long control frame"}
	}
	p := make([]byte, h.length)
	if _, err := io.ReadFull(e.br, p); err != nil {
		return err
	}
	if h.masked {
		for i := range p {
			p[i] ^= h.key[i&3]
		}
	}
	switch h.opcode {
	case opClose:
		return e.closeFrame(p)
	case opPing:
		return e.ping(p)
	case opPong:
		if e.has("answers Pongs") {
			return e.write(opPong, 0, p)
		}
	}
	return nil
}

func (e *endpoint) ping(p []byte) error {
	switch {
	case e.has("does not answer Pings"):
		return nil
	case e.has("loses Pings after 100 at once") && e.atOnce > 100:
		return nil
	case e.has("answers Pings without payload"):
		return e.write(opPong, 0, nil)
	case e.has("answers Pings after the message") && e.inMessage:
		e.pings = append(e.pings, p)
		return nil
	case e.has("answers the last of several Pings"):
		e.pings = [][]byte{p}
		return nil
	case e.has("ends a message at a Ping") && e.inMessage:
		e.inMessage = false
	}
	return e.write(opPong, 0, p)
}

// validCode reports whether a peer may send a code (RFC 6455 §7.4).
func (e *endpoint) validCode(code uint16) bool {
	switch {
	case e.has("takes any close code"):
		return true
	case e.has("takes the code 1015") && code == 1015, e.has("takes codes from 2000 to 2998") && code >= 2000 && code <= 2998,
		e.has("takes the code 42") && code == 42, e.has("takes the code 1016") && code == 1016:
		return true
	case e.has("refuses the code 4242") && code == 4242, e.has("refuses codes above 4095") && code > 4095:
		return false
	case e.has("refuses the codes 1012 to 1014") && code >= 1012 && code <= 1014:
		return false
	case e.has("refuses the codes 3000 to 3999") && code >= 3000 && code <= 3999:
		return false
	}
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// closeFrame answers a Close and ends the connection.
func (e *endpoint) closeFrame(p []byte) error {
	answer := p
	switch {
	case len(p) == 1:
		if !e.has("takes a Close with one byte") {
			return &failure{1002, "a Close with one byte"}
		}
		answer = binary.BigEndian.AppendUint16(nil, 1000)
	case len(p) >= 2:
		if !e.validCode(binary.BigEndian.Uint16(p)) {
			return &failure{1002, "an invalid close code"}
		}
		if !utf8.Valid(p[2:]) && !e.has("takes any close reason") {
			return &failure{1007, "a close reason that is not UTF-8"}
		}
		if answer = p[:2]; len(p) > 125 {
			answer = p[:2]
		}
	}
	if len(p) == 0 && e.has("answers an empty Close with 1005") {
		answer = binary.BigEndian.AppendUint16(nil, 1005)
	}
	if e.has("answers every Close with 1001") {
		answer = binary.BigEndian.AppendUint16(nil, 1001)
	}
	if e.has("does not answer the Close") {
		return errDone
	}
	e.write(opClose, 0, answer)
	e.behindClose()
	return e.afterClose()
}

// afterClose waits for the end of TCP, or closes it.
func (e *endpoint) afterClose() error {
	switch {
	case e.has("goes on after the Close"):
		e.nc.SetReadDeadline(time.Now().Add(time.Second / 10))
		for e.frame() == nil {
		}
		return errDone
	case e.has("leaves TCP open after the Close"):
		io.Copy(io.Discard, e.br)
		return errDone
	}
	e.hangUp()
	return errDone
}

// behindClose sends, after a Close, what must not be sent.
func (e *endpoint) behindClose() {
	switch {
	case e.has("sends a second Close"):
		e.write(opClose, 0, binary.BigEndian.AppendUint16(nil, 1000))
	case e.has("sends a message behind the Close"):
		e.write(opText, 0, []byte("one more thing"))
	case e.has("sends a Ping behind the Close"):
		e.write(opPing, 0, nil)
	case e.has("resets TCP behind the Close"):
		if tcp, ok := e.nc.(interface{ SetLinger(int) error }); ok {
			tcp.SetLinger(0)
			e.nc.Close()
		}
	}
}
