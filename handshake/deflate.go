package handshake

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/hawser-ws/hawser/wsproto"
)

// DeflateOptions limit what may be negotiated for permessage-deflate (RFC 7692 §7.1).
// The other side may ask for less. They mean the same in both roles. The zero value
// allows the largest windows, and lets the client, but not the server, refer back to its
// earlier messages.
type DeflateOptions struct {
	// ServerContextTakeover lets the server refer back to its earlier messages. Each end
	// then keeps 1<<ServerMaxWindowBits bytes of them. Without it, a server answers with
	// server_no_context_takeover, and a client asks for that.
	ServerContextTakeover bool

	// ClientNoContextTakeover keeps the client from referring back to its earlier
	// messages. Without it, each end keeps 1<<ClientMaxWindowBits bytes of them.
	ClientNoContextTakeover bool

	// ServerMaxWindowBits limits how far back the server refers, to 1<<bits bytes.
	// 8 to 15; 0 means 15.
	ServerMaxWindowBits uint8

	// ClientMaxWindowBits limits how far back the client refers, in the same way. A
	// client that does not offer client_max_window_bits cannot be limited to less than
	// 15. A server then asks for client_no_context_takeover instead, so that it need
	// not keep anything.
	ClientMaxWindowBits uint8
}

// check refuses window bits that RFC 7692 does not allow.
func (o *DeflateOptions) check() error {
	if o == nil {
		return nil
	}
	for _, f := range []struct {
		name string
		bits uint8
	}{
		{"ServerMaxWindowBits", o.ServerMaxWindowBits},
		{"ClientMaxWindowBits", o.ClientMaxWindowBits},
	} {
		if f.bits != 0 && (f.bits < minWindowBits || f.bits > maxWindowBits) {
			return fmt.Errorf("deflate options: %s is %d, want %d to %d", f.name, f.bits, minWindowBits, maxWindowBits)
		}
	}
	return nil
}

// choose returns the server's answer to the first of the client's offers that it can
// accept, or nil.
func (o *DeflateOptions) choose(offers []extension) *deflateParams {
	if o == nil {
		return nil
	}
	// RFC 7692 §5: "An element preceding another element has higher
	// preference."
	for _, ext := range offers {
		if ext.name != deflateName {
			continue
		}
		// RFC 7692 §7: "A server MUST decline an extension negotiation offer
		// for this extension if any of the following conditions are met".
		if offer, err := parseDeflateParams(ext.params, inOffer); err == nil {
			return o.answer(offer)
		}
	}
	return nil
}

// answer returns the server's answer to a valid offer.
func (o *DeflateOptions) answer(offer deflateParams) *deflateParams {
	a := &deflateParams{
		serverNoTakeover: offer.serverNoTakeover || !o.ServerContextTakeover,
		clientNoTakeover: offer.clientNoTakeover || o.ClientNoContextTakeover,
	}
	// RFC 7692 §7.1.2.1: "A server accepts an extension negotiation offer with
	// this parameter by including the "server_max_window_bits" extension
	// parameter in the extension negotiation response to send back to the client
	// with the same or smaller value as the offer."
	bits := min(orLargest(o.ServerMaxWindowBits), orLargest(offer.serverBits))
	if bits < maxWindowBits || offer.serverBits != 0 {
		a.serverBits = bits
	}
	// RFC 7692 §7.1.2.2: "If a received extension negotiation offer doesn't have
	// the "client_max_window_bits" extension parameter, the corresponding
	// extension negotiation response to the offer MUST NOT include the
	// "client_max_window_bits" extension parameter."
	bits = min(orLargest(o.ClientMaxWindowBits), orLargest(offer.clientBits))
	switch {
	case bits == maxWindowBits: // as without the parameter
	case offer.clientBits != 0:
		a.clientBits = bits
	default:
		a.clientNoTakeover = true
	}
	return a
}

// offer returns what the client offers, or nil.
func (o *DeflateOptions) offer() *deflateParams {
	if o == nil {
		return nil
	}
	p := &deflateParams{
		serverNoTakeover: !o.ServerContextTakeover,
		clientNoTakeover: o.ClientNoContextTakeover,
		clientBits:       orLargest(o.ClientMaxWindowBits),
	}
	// Do not ask for the largest window: a server that does not support the parameter
	// would have to decline, whatever its value.
	if o.ServerMaxWindowBits < maxWindowBits {
		p.serverBits = o.ServerMaxWindowBits
	}
	return p
}

// verify checks the server's Sec-WebSocket-Extensions against the client's offer. Its
// result is nil if the server declined.
func (offer *deflateParams) verify(lines []string) (*wsproto.Deflate, error) {
	list, err := parseExtensions(lines)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, nil
	case offer == nil:
		return nil, errors.New("none was offered")
	}
	for _, ext := range list {
		// 4.1: "the use of an extension that was not present in the client's
		// handshake".
		if ext.name != deflateName {
			return nil, fmt.Errorf("%s was not offered", quote(ext.name))
		}
	}
	if len(list) > 1 {
		return nil, errors.New(deflateName + " is given twice")
	}
	// RFC 7692 §7: "A client MUST _Fail the WebSocket Connection_ if the peer
	// server accepted an extension negotiation offer for this extension with an
	// extension negotiation response meeting any of the following conditions".
	answer, err := parseDeflateParams(list[0].params, inAnswer)
	if err != nil {
		return nil, err
	}
	if err := offer.checkAnswer(answer); err != nil {
		return nil, err
	}
	// The client keeps its own promises, even if the answer does not mention them
	// (RFC 7692 §7.1.1.2 and §7.1.2.2).
	answer.clientNoTakeover = answer.clientNoTakeover || offer.clientNoTakeover
	answer.clientBits = cmp.Or(answer.clientBits, offer.clientBits)
	return answer.agreed(), nil
}

// checkAnswer verifies that a valid answer matches this offer. The answer may contain
// both no_context_takeover parameters and server_max_window_bits even if they were not
// offered.
func (offer *deflateParams) checkAnswer(answer deflateParams) error {
	switch {
	// RFC 7692 §7.1.1.1: "A server accepts an extension negotiation offer that
	// includes the "server_no_context_takeover" extension parameter by
	// including the "server_no_context_takeover" extension parameter in the
	// corresponding extension negotiation response".
	case offer.serverNoTakeover && !answer.serverNoTakeover:
		return errors.New(serverNoTakeoverName + " was asked for and is missing")
	case offer.serverBits != 0 && answer.serverBits == 0:
		return errors.New(serverBitsName + " was asked for and is missing")
	case offer.serverBits != 0 && answer.serverBits > offer.serverBits:
		return fmt.Errorf("%s is %d, at most %d was asked for", serverBitsName, answer.serverBits, offer.serverBits)
	case offer.clientBits == 0 && answer.clientBits != 0:
		return errors.New(clientBitsName + " was not offered")
	// RFC 7692 §7.1.2.2: "with a value equal to or smaller than the received
	// value."
	case answer.clientBits > offer.clientBits:
		return fmt.Errorf("%s is %d, at most %d was offered", clientBitsName, answer.clientBits, offer.clientBits)
	}
	return nil
}
