package wsproto

import "strconv"

// CloseCode is the status code of a Close frame (RFC 6455 §7.4).
type CloseCode uint16

// The registered close codes. NoStatus, Abnormal and TLSHandshake describe how
// a connection ended and never appear in a frame.
const (
	CloseNormal          CloseCode = 1000
	CloseGoingAway       CloseCode = 1001
	CloseProtocolError   CloseCode = 1002
	CloseUnsupportedData CloseCode = 1003
	CloseNoStatus        CloseCode = 1005 // a Close frame without a code
	CloseAbnormal        CloseCode = 1006 // the connection ended without a Close frame
	CloseInvalidPayload  CloseCode = 1007
	ClosePolicyViolation CloseCode = 1008
	CloseMessageTooBig   CloseCode = 1009
	CloseMissingExt      CloseCode = 1010
	CloseInternalError   CloseCode = 1011
	CloseServiceRestart  CloseCode = 1012
	CloseTryAgainLater   CloseCode = 1013
	CloseBadGateway      CloseCode = 1014
	CloseTLSHandshake    CloseCode = 1015
)

// Sendable reports whether c may be sent in a Close frame: 1000–1003, 1007–1014
// (RFC 6455 §7.4.1 and the IANA registry) and 3000–4999 (§7.4.2).
func (c CloseCode) Sendable() bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014, c >= 3000 && c <= 4999:
		return true
	}
	return false
}

func (c CloseCode) String() string {
	switch c {
	case CloseNormal:
		return "1000 normal closure"
	case CloseGoingAway:
		return "1001 going away"
	case CloseProtocolError:
		return "1002 protocol error"
	case CloseUnsupportedData:
		return "1003 unsupported data"
	case CloseNoStatus:
		return "1005 no status"
	case CloseAbnormal:
		return "1006 abnormal closure"
	case CloseInvalidPayload:
		return "1007 invalid payload data"
	case ClosePolicyViolation:
		return "1008 policy violation"
	case CloseMessageTooBig:
		return "1009 message too big"
	case CloseMissingExt:
		return "1010 missing extension"
	case CloseInternalError:
		return "1011 internal error"
	case CloseServiceRestart:
		return "1012 service restart"
	case CloseTryAgainLater:
		return "1013 try again later"
	case CloseBadGateway:
		return "1014 bad gateway"
	case CloseTLSHandshake:
		return "1015 TLS handshake"
	}
	return strconv.Itoa(int(c))
}
