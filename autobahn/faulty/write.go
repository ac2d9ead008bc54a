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
	if p = e.spoiled(p); p == nil {
		return nil
	}
	rsv := byte(0)
	if e.codec != nil && compressed {
		p, rsv = e.codec.deflate(p, opcode), 4
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
	e.writing <- struct{}{}
	defer func() { <-e.writing }()
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
		key := e.nextKey(opcode)
		b = append(b, key[:]...)
		start := len(b)
		b = append(b, p...)
		for i := range p {
			b[start+i] ^= key[i&3]
		}
	} else {
		b = append(b, p...)
	}
	if e.has("writes Pongs into the middle of a frame") && len(p) > 1<<20 {
		for first := true; len(b) > 0; first = false {
			n := min(len(b), 64<<10)
			e.nc.Write(b[:n])
			b = b[n:]
			if first {
				e.inPart()
			}
			<-e.writing // a Pong that waits is written here
			e.writing <- struct{}{}
		}
		return nil
	}
	_, err := e.nc.Write(b)
	return err
}

// spoiled is an echo as an endpoint with wrong buffers sends it; nil if the defect
// is another one.
func (e *endpoint) spoiled(p []byte) []byte {
	n := len(p)
	switch {
	case e.has("repeats the byte at 4,096") && n > 4096:
		p[4096] = p[4095]
	case e.has("cuts messages of 32,768 bytes and more") && n >= 1<<15 && n < 1<<16:
		return p[:1<<15-1]
	case e.has("cuts messages at 524,288 bytes") && n > 1<<19:
		return p[:1<<19]
	case e.has("loses messages after 500 at once") && e.atOnce > 500:
		return nil
	}
	if p == nil {
		p = []byte{}
	}
	return p
}

// nextKey is the masking key of a frame.
func (e *endpoint) nextKey(opcode byte) (key [4]byte) {
	e.keys++
	v := rand.Uint32()
	switch {
	case e.has("masks with one key"),
		e.has("masks Pongs with one key") && opcode == opPong,
		e.has("masks Closes with one key") && opcode == opClose,
		e.has("masks binary frames with one key") && opcode == opBinary:
		v = 0x12345678
	case e.has("counts its masking keys"):
		v = uint32(e.keys)
	case e.has("masks with one byte"):
		v = v & 0xFF * 0x01010101
	case e.has("takes turns with two masking keys"):
		v = []uint32{0x12345678, 0x9ABCDEF0}[e.keys&1]
	case e.has("uses each masking key twice") && e.keys&1 == 0:
		v = e.lastKey
	case e.has("leaves a byte of its masking keys zero"):
		v &= 0xFFFF00FF
	}
	e.lastKey = v
	binary.BigEndian.PutUint32(key[:], v)
	return key
}
