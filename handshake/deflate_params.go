package handshake

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/hawser-ws/hawser/wsproto"
)

// The names of RFC 7692 §7 and §7.1.
const (
	deflateName          = "permessage-deflate"
	serverNoTakeoverName = "server_no_context_takeover"
	clientNoTakeoverName = "client_no_context_takeover"
	serverBitsName       = "server_max_window_bits"
	clientBitsName       = "client_max_window_bits"
)

const (
	minWindowBits = 8
	maxWindowBits = 15
)

// deflateParams are the parameters of one permessage-deflate offer or answer.
type deflateParams struct {
	serverNoTakeover bool
	clientNoTakeover bool
	serverBits       uint8 // 0: absent
	clientBits       uint8 // 0: absent; 15 in an offer: also without a value
}

// place says where parameters occur: their grammar depends on it.
type place bool

const (
	inOffer  place = false
	inAnswer place = true
)

// parseDeflateParams reads the parameters of one element. An unknown parameter, one that
// occurs twice, or one with an invalid value is an error.
func parseDeflateParams(params []extensionParam, where place) (p deflateParams, err error) {
	for i, param := range params {
		// This is linear: a fifth parameter is either unknown or a repetition.
		if slices.ContainsFunc(params[:i], func(q extensionParam) bool { return q.name == param.name }) {
			return p, errors.New(param.name + " is given twice")
		}
		switch param.name {
		case serverNoTakeoverName:
			p.serverNoTakeover, err = true, param.wantNoValue()
		case clientNoTakeoverName:
			p.clientNoTakeover, err = true, param.wantNoValue()
		case serverBitsName:
			p.serverBits, err = param.windowBits()
		case clientBitsName:
			// RFC 7692 §7.1.2.2: in an offer "This parameter has no value or a
			// decimal integer value without leading zeroes". In an answer it needs
			// a value.
			if p.clientBits = maxWindowBits; param.value != "" || where == inAnswer {
				p.clientBits, err = param.windowBits()
			}
		default:
			err = fmt.Errorf("parameter %s is unknown", quote(param.name))
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p extensionParam) wantNoValue() error {
	if p.value != "" {
		return fmt.Errorf("%s is %s, want no value", p.name, quote(p.value))
	}
	return nil
}

// windowBits returns the value as a number. strconv would also accept "08" and "+8".
func (p extensionParam) windowBits() (uint8, error) {
	switch p.value {
	case "8", "9":
		return p.value[0] - '0', nil
	case "10", "11", "12", "13", "14", "15":
		return 10 + p.value[1] - '0', nil
	case "":
		return 0, fmt.Errorf("%s has no value, want %d to %d", p.name, minWindowBits, maxWindowBits)
	}
	return 0, fmt.Errorf("%s is %s, want %d to %d", p.name, quote(p.value), minWindowBits, maxWindowBits)
}

// String returns the element as it is sent in the header. The largest client window is
// sent without its number, which would add nothing to the name.
func (p *deflateParams) String() string {
	b := make([]byte, 0, 128)
	b = append(b, deflateName...)
	if p.serverNoTakeover {
		b = append(b, "; "+serverNoTakeoverName...)
	}
	if p.clientNoTakeover {
		b = append(b, "; "+clientNoTakeoverName...)
	}
	if p.serverBits != 0 {
		b = append(b, "; "+serverBitsName+"="...)
		b = strconv.AppendUint(b, uint64(p.serverBits), 10)
	}
	if p.clientBits != 0 {
		b = append(b, "; "+clientBitsName...)
		if p.clientBits < maxWindowBits {
			b = append(b, '=')
			b = strconv.AppendUint(b, uint64(p.clientBits), 10)
		}
	}
	return string(b)
}

// agreed returns the parameters that an answer with p establishes.
func (p *deflateParams) agreed() *wsproto.Deflate {
	return &wsproto.Deflate{
		ServerNoContextTakeover: p.serverNoTakeover,
		ClientNoContextTakeover: p.clientNoTakeover,
		ServerMaxWindowBits:     orLargest(p.serverBits),
		ClientMaxWindowBits:     orLargest(p.clientBits),
	}
}

// orLargest returns bits, or the largest window if bits is 0.
func orLargest(bits uint8) uint8 { return cmp.Or(bits, maxWindowBits) }
