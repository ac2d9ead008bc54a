package stamp

import "encoding/binary"

// Characters are all that text payloads consist of.
const Characters = "?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~0" + "123456789 =.;"

// The 64 letters are the 64 characters from '?' on, with '0' in place of the backslash: so
// no letter needs an escape in JSON, and eight of them are converted at once.
const (
	ones      = 0x0101010101010101 // times a byte: eight of it
	first     = '?'
	exception = '\\'
	instead   = '0'
)

// putWord writes the low 48 bits of v as eight letters, the highest first.
func putWord(to []byte, v uint64) {
	v = v&0xffffff000000<<8 | v&0xffffff
	v = v&0x00fff00000fff000<<4 | v&0x00000fff00000fff
	v = v&0x0fc00fc00fc00fc0<<2 | v&0x003f003f003f003f
	v += ones * first
	v ^= equal(v, exception) * (exception ^ instead)
	binary.BigEndian.PutUint64(to, v)
}

// word reads eight letters back. From other characters it makes something.
func word(p []byte) uint64 {
	v := binary.BigEndian.Uint64(p)
	v ^= equal(v, instead) * (exception ^ instead)
	v = (v - ones*first) & (ones * 63)
	v = v>>2&0x0fc00fc00fc00fc0 | v&0x003f003f003f003f
	v = v>>4&0x00fff00000fff000 | v&0x00000fff00000fff
	return v>>8&0xffffff000000 | v&0xffffff
}

// equal returns 1 in each byte of v that is c, and 0 in the others. No byte of v may
// exceed 127.
func equal(v uint64, c byte) uint64 {
	return ^(v ^ ones*uint64(c) + ones*127) >> 7 & ones
}
