package autobahn

// Rules of WebSocket over HTTP/2.
var (
	ruleH2Setting   = &Rule{"RFC 8441 §3", "Upon receipt of SETTINGS_ENABLE_CONNECT_PROTOCOL with a value of 1, a client MAY use the Extended CONNECT as defined in this document when creating new streams. [...] A sender MUST NOT send a SETTINGS_ENABLE_CONNECT_PROTOCOL parameter with the value of 0 after previously sending a value of 1."}
	ruleH2Wait      = &Rule{"RFC 8441 §3", "If a client were to use the provisions of the extended CONNECT method defined in this document without first receiving a SETTINGS_ENABLE_CONNECT_PROTOCOL parameter, a non-supporting peer would detect a malformed request and generate a stream error."}
	ruleH2Connect   = &Rule{"RFC 8441 §4", "A new pseudo-header field :protocol MAY be included on request HEADERS indicating the desired protocol to be spoken on the tunnel created by CONNECT. [...] On requests that contain the :protocol pseudo-header field, the :scheme and :path pseudo-header fields of the target URI (see Section 5) MUST also be included."}
	ruleH2WebSocket = &Rule{"RFC 8441 §5", "The :protocol pseudo-header field MUST be included in the CONNECT request, and it MUST have a value of \"websocket\" to initiate a WebSocket connection on an HTTP/2 stream."}
	ruleH2Scheme    = &Rule{"RFC 8441 §5", "The scheme of the target URI MUST be \"https\" for \"wss\"-schemed WebSockets and \"http\" for \"ws\"-schemed WebSockets."}
	ruleH2Fields    = &Rule{"RFC 8441 §5", "[RFC6455] requires the use of Connection and Upgrade header fields that are not part of HTTP/2. They MUST NOT be included in the CONNECT request defined here."}
	ruleH2Key       = &Rule{"RFC 8441 §5", "Implementations using this extended CONNECT to bootstrap WebSockets do not do the processing of the Sec-WebSocket-Key and Sec-WebSocket-Accept header fields of [RFC6455] as that functionality has been superseded by the :protocol pseudo-header field."}
	ruleH2Negotiate = &Rule{"RFC 8441 §5", "The Origin, Sec-WebSocket-Version, Sec-WebSocket-Protocol, and Sec-WebSocket-Extensions header fields are used in the CONNECT request and response-header fields as defined in [RFC6455]."}
	ruleH2Stream    = &Rule{"RFC 8441 §5", "After successfully processing the opening handshake, the peers should proceed with the WebSocket Protocol [RFC6455] using the HTTP/2 stream from the CONNECT transaction as if it were the TCP connection referred to in [RFC6455]."}
	ruleH2End       = &Rule{"RFC 8441 §5", "The HTTP/2 stream closure is also analogous to the TCP connection closure of [RFC6455]. Orderly TCP-level closures are represented as END_STREAM flags. RST exceptions are represented with the RST_STREAM frame with the CANCEL error code."}

	ruleH2Forbidden = &Rule{"RFC 9113 §8.2.2", "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields. [...] Any message containing connection-specific header fields MUST be treated as malformed (Section 8.1.1)."}
	ruleH2Lower     = &Rule{"RFC 9113 §8.2.1", "A field name MUST NOT contain characters in the ranges 0x00-0x20, 0x41-0x5a, or 0x7f-0xff (all ranges inclusive). This specifically excludes all non-visible ASCII characters, ASCII SP (0x20), and uppercase characters ('A' to 'Z', ASCII 0x41 to 0x5a)."}
	ruleH2Pseudo    = &Rule{"RFC 9113 §8.3", "Endpoints MUST treat a request or response that contains undefined or invalid pseudo-header fields as malformed (Section 8.1.1). All pseudo-header fields MUST appear in a field block before all regular field lines. [...] The same pseudo-header field name MUST NOT appear more than once in a field block."}
	ruleH2Tunnel    = &Rule{"RFC 9113 §8.5", "The \":scheme\" and \":path\" pseudo-header fields MUST be omitted. [...] A CONNECT request that does not conform to these restrictions is malformed (Section 8.1.1)."}
	ruleH2Host      = &Rule{"RFC 9113 §8.3.1", "Clients MUST NOT generate a request with a Host header field that differs from the \":authority\" pseudo-header field."}
	ruleH2Length    = &Rule{"RFC 9110 §9.3.6", "A server MUST NOT send any Transfer-Encoding or Content-Length header fields in a 2xx (Successful) response to CONNECT."}
	ruleH2Blocks    = &Rule{"RFC 9113 §4.3", "A complete field section (or block) consists of either: a single HEADERS or PUSH_PROMISE frame, with the END_HEADERS flag set, or a HEADERS or PUSH_PROMISE frame with the END_HEADERS flag unset and one or more CONTINUATION frames, where the last CONTINUATION frame has the END_HEADERS flag set."}
	ruleH2Padding   = &Rule{"RFC 9113 §6.1", "DATA frames MAY also contain padding. [...] The entire DATA frame payload is included in flow control, including the Pad Length and Padding fields if present."}
	ruleH2Flow      = &Rule{"RFC 9113 §6.9.1", "The sender MUST NOT send a flow-controlled frame with a length that exceeds the space available in either of the flow-control windows advertised by the receiver."}
	ruleH2Negative  = &Rule{"RFC 9113 §6.9.2", "A change to SETTINGS_INITIAL_WINDOW_SIZE can cause the available space in a flow-control window to become negative. A sender MUST track the negative flow-control window and MUST NOT send new flow-controlled frames until it receives WINDOW_UPDATE frames that cause the flow-control window to become positive."}
	ruleH2Ping      = &Rule{"RFC 9113 §6.7", "Receivers of a PING frame that does not include an ACK flag MUST send a PING frame with the ACK flag set in response, with an identical frame payload."}
	ruleH2GoAway    = &Rule{"RFC 9113 §6.8", "GOAWAY allows an endpoint to gracefully stop accepting new streams while still finishing processing of previously established streams."}
	ruleH2Reset     = &Rule{"RFC 9113 §6.4", "After receiving a RST_STREAM on a stream, the receiver MUST NOT send additional frames for that stream, except for PRIORITY."}
	ruleH2Streams   = &Rule{"RFC 9113 §5", "A \"stream\" is an independent, bidirectional sequence of frames exchanged between the client and server within an HTTP/2 connection."}
	ruleH2StreamErr = &Rule{"RFC 9113 §5.4.2", "A stream error is an error related to a specific stream that does not affect processing of other streams."}
	ruleH2Status    = &Rule{"RFC 9113 §8.6", "HTTP/2 does not support the 101 (Switching Protocols) informational status code (Section 15.2.2 of [HTTP])."}
	ruleH2Success   = &Rule{"RFC 9110 §9.3.6", "Any 2xx (Successful) response indicates that the sender (and all inbound proxies) will switch to tunnel mode immediately after the response header section [...] Any response other than a successful response indicates that the tunnel has not yet been formed."}
)
