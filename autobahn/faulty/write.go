package faulty

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// echo sends a message back.
func (e *endpoint) echo(p []byte, opcode byte, compressed bool) error {
	switch {
	case e.has("echoes text as binary"):
		opcode = opBinary
	case e.has("is silent"):
		return nil
	case e.has("answers in capitals"):
		p = bytes.ToUpper(p)
	case e.has("wraps the echo"):
		p = fmt.Appendf(nil, `{"echo":%q}`, p)
	case e.has("says more than the echo"):
		e.write(opText, 0, []byte("received"))
	case e.has("drops empty messages") && len(p) == 0:
		return nil
	case e.has("cuts messages at 65,535 bytes") && len(p) > 65535:
		p = p[:65535]
	case e.has("closes after a message of more than 10,000 bytes") && len(p) > 10000:
		e.write(opClose, 0, binary.BigEndian.AppendUint16(nil, 1009))
		e.hangUp()
		return errDone
	}
	rsv := byte(0)
	if e.codec != nil && compressed {
		p, rsv = e.codec.deflate(p), 4
	}
	if e.has("echoes in two fragments that both have the opcode") && len(p) > 1 {
		e.raw(opcode, rsv, false, p[:1])
		return e.raw(opcode, 0, true, p[1:])
	}
	return e.write(opcode, rsv, p)
}

func (e *endpoint) write(opcode, rsv byte, p []byte) error { return e.raw(opcode, rsv, true, p) }

// raw writes a frame.
func (e *endpoint) raw(opcode, rsv byte, fin bool, p []byte) error {
	if opcode == opClose {
		e.tasks.Wait()
	}
	e.writing.Lock()
	defer e.writing.Unlock()
	b := []byte{rsv<<4 | opcode, 0}
	if fin {
		b[0] |= 0x80
	}
	switch n := len(p); {
	case n > 65535 || e.has("writes every length in 64 bits"):
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	case n > 125:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = byte(n)
	}
	if e.client == !e.has("masks like the other side") {
		b[1] |= 0x80
		key := e.nextKey()
		b = append(b, key[:]...)
		start := len(b)
		b = append(b, p...)
		for i := range p {
			b[start+i] ^= key[i&3]
		}
	} else {
		b = append(b, p...)
	}
	_, err := e.nc.Write(b)
	return err
}

func (e *endpoint) nextKey() (key [4]byte) {
	e.keys++
	v := rand.Uint32()
	switch {
	case e.has("masks with one key"):
		v = 0x12345678
	case e.has("counts its masking keys"):
		v = uint32(e.keys)
	}
	binary.BigEndian.PutUint32(key[:], v)
	return key
}
