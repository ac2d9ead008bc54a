package chat

import (
	"strconv"
	"strings"
)

// position is a place in a conversation: directly after a change. Clients are given it as an
// opaque text, and give it back when they resume.
type position struct {
	epoch  string
	change uint64 // 0: before the first one
	tag    uint32 // of that change
}

func (t *Tail) position() position { return position{epoch: t.Epoch, change: t.Change, tag: t.Tag} }

// isEnd reports whether a conversation ends at p.
func (p position) isEnd(t *Tail) bool {
	return p.epoch == t.Epoch && p.change == t.Change && (p.change == 0 || p.tag == t.Tag)
}

// append appends the text of a position: epoch, change and tag.
func (p position) append(dst []byte) []byte {
	dst = append(dst, p.epoch...)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, p.change, 10)
	dst = append(dst, '.')
	return strconv.AppendUint(dst, uint64(p.tag), 36)
}

// parsePosition reads what append wrote. ok is false for anything else.
func parsePosition(text string) (p position, ok bool) {
	epoch, tag, ok := cutLast(text)
	if !ok {
		return p, false
	}
	epoch, change, ok := cutLast(epoch)
	if !ok {
		return p, false
	}
	number, err := strconv.ParseUint(change, 10, 64)
	if err != nil {
		return p, false
	}
	t, err := strconv.ParseUint(tag, 36, 32)
	return position{epoch: epoch, change: number, tag: uint32(t)}, err == nil
}

// cutLast cuts a text at its last dot.
func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, '.')
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

func appendPositionField(dst []byte, p position) []byte {
	dst = append(dst, `,"position":"`...)
	dst = p.append(dst)
	return append(dst, '"')
}
