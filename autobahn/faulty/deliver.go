package faulty

import (
	"bytes"
	"sync"
	"time"
)

// validText is the check at a message's end.
func (e *endpoint) validText(p []byte) bool {
	if e.compressed || e.has("checks UTF-8 at the end") {
		e.text = e.newText()
		if !e.text.write(p) {
			return false
		}
	}
	return e.text.complete()
}

// deliver echoes a message.
func (e *endpoint) deliver() error {
	p := e.message
	if e.has("reorders fragments") && len(e.parts) > 1 && !e.compressed {
		p = nil
		for i := range e.parts {
			p = append(p, e.parts[len(e.parts)-1-i]...)
		}
	}
	if e.compressed {
		var err error
		if p, err = e.codec.inflate(p); err != nil {
			return &failure{1007, err.Error()}
		}
	} else if e.codec != nil && e.has("puts plain messages into the window") {
		e.codec.remember(p)
	}
	if len(p) > maxMessage {
		return &failure{1009, "the message inflates to too much"}
	}
	if e.opcode == opText && !e.validText(p) {
		return &failure{1007, "not UTF-8"}
	}
	if inTheMiddle := e.has("writes Pongs into the middle of a frame") && len(p) > 1<<20; inTheMiddle || e.has("echoes from a task") {
		begun := make(chan struct{})
		e.inPart = sync.OnceFunc(func() { close(begun) })
		e.later(bytes.Clone(p))
		if inTheMiddle {
			<-begun
		}
		return nil
	}
	if e.has("answers Pings after the message") {
		e.answerLate()
	}
	return e.echo(p, e.opcode, e.compressed)
}

// later echoes a message from a task of its own, after the messages before it.
func (e *endpoint) later(p []byte) {
	opcode, compressed, before, begun, done := e.opcode, e.compressed, e.lastTask, e.inPart, make(chan struct{})
	e.lastTask = done
	e.tasks.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		if e.has("echoes from a task") {
			time.Sleep(time.Millisecond)
		}
		e.echo(p, opcode, compressed)
		begun()
	})
}

// answerLate answers the Pings that were not answered at once.
func (e *endpoint) answerLate() {
	for _, late := range e.pings {
		e.write(opPong, 0, late)
	}
	e.pings = nil
}
