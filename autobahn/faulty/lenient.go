package faulty

// This file has the defects about a frame's header: what an endpoint accepts
// although it must refuse it.

// bits are the reserved bits of h that are accepted.
func (e *endpoint) bits(h *header, length byte) byte {
	data := h.opcode == opText || h.opcode == opBinary
	switch {
	case e.has("takes RSV2"):
		return e.rsv1(data) | 2
	case e.has("takes RSV3"):
		return e.rsv1(data) | 1
	case e.has("takes RSV1 where compression was not agreed on") && data:
		return 4
	case e.has("takes reserved bits on control frames") && h.opcode >= 8,
		e.has("takes reserved bits on continuations") && h.opcode == opContinuation,
		e.has("takes reserved bits on empty frames") && length == 0,
		e.has("takes reserved bits after the first message") && e.messages > 0,
		e.has("takes RSV2 and RSV3 where compression was agreed on") && e.codec != nil && data:
		return 7
	case e.codec != nil && e.has("takes RSV1 on any frame"):
		return 4
	}
	return e.rsv1(data)
}

func (e *endpoint) rsv1(data bool) byte {
	if e.codec != nil && data {
		return 4
	}
	return 0
}

// masking reports whether a frame may have the masking of the other side.
func (e *endpoint) anyMasking(h *header, length byte) bool {
	return e.has("takes any masking") ||
		e.has("takes any masking of empty frames") && length == 0 ||
		e.has("takes any masking of control frames") && h.opcode >= 8 ||
		e.has("takes any masking of continuations") && h.opcode == opContinuation ||
		e.has("takes any masking after the first message") && e.messages > 0 ||
		e.has("takes any masking after ten messages") && e.messages >= 10
}

// anyOpcode reports whether a reserved opcode is accepted.
func (e *endpoint) anyOpcode(h *header) bool {
	return e.has("ignores reserved opcodes") ||
		e.has("ignores reserved opcodes between fragments") && e.inMessage ||
		e.has("ignores reserved opcodes without FIN") && !h.fin ||
		e.has("ignores reserved control opcodes") && h.opcode > 8 ||
		e.has("ignores the opcode 6") && h.opcode == 6
}

// anyControl reports whether a control frame may be fragmented, or long.
func (e *endpoint) anyControl(h *header, length byte) (fragmented, long bool) {
	fragmented = e.has("takes fragmented control frames") || e.has("takes a Close without FIN") && h.opcode == opClose ||
		e.has("takes empty control frames without FIN") && length == 0 ||
		e.has("takes control frames without FIN inside a message") && e.inMessage
	long = e.has("takes long control frames") || e.has("takes long Pongs") && h.opcode == opPong ||
		e.has("takes long Pings") && h.opcode == opPing || e.has("takes long Closes") && h.opcode == opClose ||
		e.has("takes long control frames inside a message") && e.inMessage ||
		e.longForm(h) && length > 125
	return fragmented, long
}

// longForm reports whether a length may be written in more bytes than it needs.
func (e *endpoint) longForm(h *header) bool {
	return e.has("takes long forms of short lengths") ||
		e.has("takes long forms on control frames") && h.opcode >= 8 ||
		e.has("takes long forms on binary frames") && h.opcode == opBinary ||
		e.has("takes long forms on continuations") && h.opcode == opContinuation
}

// inOrder says what is wrong with a data frame at this place in a message.
func (e *endpoint) inOrder(h *header, length byte) error {
	switch {
	case h.opcode == opContinuation && !e.inMessage:
		if !e.has("takes a continuation of nothing") && !(e.has("takes an empty continuation of nothing") && length == 0) &&
			!(e.has("takes a continuation of nothing after a message") && e.messages > 0) {
			return &failure{1002, "nothing to continue"}
		}
	case h.opcode != opContinuation && e.inMessage:
		if !e.has("takes a message inside a message") && !(e.has("takes an empty message inside a message") && length == 0) &&
			!(e.has("takes a fragment inside a message") && !h.fin) {
			return &failure{1002, "a message inside a message"}
		}
	}
	return nil
}
