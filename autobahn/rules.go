package autobahn

// Rule is a sentence of a standard, and where it is found.
type Rule struct {
	Ref  string // "RFC 6455 §5.5"
	Text string
}

// The sentences that the cases test, in the words of the standards.
var (
	ruleEcho       = &Rule{"RFC 6455 §5.6", "The \"Payload data\" is text data encoded as UTF-8 [...] arbitrary binary data whose interpretation is solely up to the application layer."}
	rulePong       = &Rule{"RFC 6455 §5.5.2", "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received a Close frame."}
	rulePongData   = &Rule{"RFC 6455 §5.5.3", "A Pong frame sent in response to a Ping frame must have identical \"Application data\" as found in the message body of the Ping frame being replied to."}
	ruleUnasked    = &Rule{"RFC 6455 §5.5.3", "A Pong frame MAY be sent unsolicited. [...] A response to an unsolicited Pong frame is not expected."}
	ruleControl125 = &Rule{"RFC 6455 §5.5", "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented."}
	ruleRSV        = &Rule{"RFC 6455 §5.2", "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values. If a nonzero value is received and none of the negotiated extensions defines the meaning of such a nonzero value, the receiving endpoint MUST _Fail the WebSocket Connection_."}
	ruleOpcode     = &Rule{"RFC 6455 §5.2", "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."}
	ruleFragments  = &Rule{"RFC 6455 §5.4", "A fragmented message consists of a single frame with the FIN bit clear and an opcode other than 0, followed by zero or more frames with the FIN bit clear and the opcode set to 0, and terminated by a single frame with the FIN bit set and an opcode of 0."}
	ruleInjected   = &Rule{"RFC 6455 §5.4", "Control frames (see Section 5.5) MAY be injected in the middle of a fragmented message. [...] An endpoint MUST be capable of handling control frames in the middle of a fragmented message."}
	ruleInterleave = &Rule{"RFC 6455 §5.4", "The fragments of one message MUST NOT be interleaved between the fragments of another message unless an extension has been negotiated that can interpret the interleaving."}
	ruleUTF8       = &Rule{"RFC 6455 §8.1", "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."}
	ruleCloseReply = &Rule{"RFC 6455 §5.5.1", "If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a Close frame in response. (When sending a Close frame in response, the endpoint typically echos the status code it received.)"}
	ruleDiscard    = &Rule{"RFC 6455 §1.4", "[...] after receiving a control frame indicating the connection should be closed, a peer discards any further data received."}
	ruleCloseBody  = &Rule{"RFC 6455 §5.5.1", "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer (in network byte order) representing a status code with value /code/ defined in Section 7.4."}
	ruleCloseUTF8  = &Rule{"RFC 6455 §5.5.1", "Following the 2-byte integer, the body MAY contain UTF-8-encoded data with value /reason/, the interpretation of which is not defined by this specification."}
	ruleCodes      = &Rule{"RFC 6455 §7.4.2", "Status codes in the range 1000-2999 are reserved for definition by this protocol, its future revisions, and extensions specified in a permanent and readily available public specification."}
	ruleCodesLow   = &Rule{"RFC 6455 §7.4.2", "Status codes in the range 0-999 are not used."}
	ruleCodesUser  = &Rule{"RFC 6455 §7.4.2", "Status codes in the range 4000-4999 are reserved for private use and thus can't be registered."}
	ruleCodesLib   = &Rule{"RFC 6455 §7.4.2", "Status codes in the range 3000-3999 are reserved for use by libraries, frameworks, and applications."}
	ruleNeverSent  = &Rule{"RFC 6455 §7.4.1", "1005 is a reserved value and MUST NOT be set as a status code in a Close control frame by an endpoint. [...] 1006 is a reserved value and MUST NOT be set [...] 1015 is a reserved value and MUST NOT be set as a status code in a Close control frame by an endpoint."}
	ruleDropTCP    = &Rule{"RFC 6455 §7.1.1", "The underlying TCP connection, in most normal cases, SHOULD be closed first by the server, so that it holds the TIME_WAIT state and not the client [...]"}
	ruleFail       = &Rule{"RFC 6455 §7.1.7", "An endpoint MUST NOT continue to attempt to process data (including a responding Close frame) from the remote endpoint after being instructed to _Fail the WebSocket Connection_."}
	ruleLimits     = &Rule{"RFC 6455 §10.4", "Implementations that have implementation- and/or platform-specific limitations regarding the frame size or total message size after reassembly from multiple frames MUST protect themselves against exceeding those limits."}
	ruleLength     = &Rule{"RFC 6455 §5.2", "Note that in all cases, the minimal number of bytes MUST be used to encode the length, for example, the length of a 124-byte-long string can't be encoded as the sequence 126, 0, 124."}
	ruleLength63   = &Rule{"RFC 6455 §5.2", "If 127, the following 8 bytes interpreted as a 64-bit unsigned integer (the most significant bit MUST be 0) are the payload length."}
	ruleMaskServer = &Rule{"RFC 6455 §5.1", "The server MUST close the connection upon receiving a frame that is not masked."}
	ruleMaskClient = &Rule{"RFC 6455 §5.1", "A server MUST NOT mask any frames that it sends to the client. A client MUST close a connection if it detects a masked frame."}
	ruleMaskKey    = &Rule{"RFC 6455 §5.3", "The masking key is a 32-bit value chosen at random by the client. [...] The masking key needs to be unpredictable [...]"}
	ruleMaskXOR    = &Rule{"RFC 6455 §5.3", "Octet i of the transformed data (\"transformed-octet-i\") is the XOR of octet i of the original data (\"original-octet-i\") with octet at index i modulo 4 of the masking key [...]"}
	ruleFragAny    = &Rule{"RFC 6455 §5.4", "Unless specified otherwise by an extension, frames have no semantic meaning. An intermediary might coalesce and/or split frames [...]"}

	ruleOpenRequest  = &Rule{"RFC 6455 §4.2.1", "If the server, while reading the handshake, finds that the client did not send a handshake that matches the description below [...] the server MUST stop processing the client's handshake and return an HTTP response with an appropriate error code (such as 400 Bad Request)."}
	ruleOpenMethod   = &Rule{"RFC 6455 §4.1", "The method of the request MUST be GET, and the HTTP version MUST be at least 1.1."}
	ruleOpenHost     = &Rule{"RFC 6455 §4.2.1", "A |Host| header field containing the server's authority."}
	ruleOpenUpgrade  = &Rule{"RFC 6455 §4.2.1", "An |Upgrade| header field containing the value \"websocket\", treated as an ASCII case-insensitive value."}
	ruleOpenConn     = &Rule{"RFC 6455 §4.2.1", "A |Connection| header field that includes the token \"Upgrade\", treated as an ASCII case-insensitive value."}
	ruleOpenKey      = &Rule{"RFC 6455 §4.2.1", "A |Sec-WebSocket-Key| header field with a base64-encoded (see Section 4 of [RFC4648]) value that, when decoded, is 16 bytes in length."}
	ruleOpenKeyOnce  = &Rule{"RFC 6455 §11.3.1", "The |Sec-WebSocket-Key| header field MUST NOT appear more than once in an HTTP request."}
	ruleOpenVersion  = &Rule{"RFC 6455 §4.4", "If the server doesn't support the requested version, it MUST respond with a |Sec-WebSocket-Version| header field (or multiple |Sec-WebSocket-Version| header fields) containing all versions it is willing to use."}
	ruleOpenAccept   = &Rule{"RFC 6455 §4.2.2", "A |Sec-WebSocket-Accept| header field. The value of this header field is constructed by concatenating /key/ [...] with the string \"258EAFA5-E914-47DA-95CA-C5AB0DC85B11\", taking the SHA-1 hash of this concatenated value to obtain a 20-byte value and base64-encoding (see Section 4 of [RFC4648]) this 20-byte hash."}
	ruleOpenProtocol = &Rule{"RFC 6455 §4.2.2", "The value chosen MUST be derived from the client's handshake, specifically by selecting one of the values from the |Sec-WebSocket-Protocol| field that the server is willing to use for this connection (if any)."}
	ruleOpenExt      = &Rule{"RFC 6455 §9.1", "Note that like other HTTP header fields, this header field MAY be split or combined across multiple lines."}
	ruleOpenExtNew   = &Rule{"RFC 6455 §4.1", "If the response includes a |Sec-WebSocket-Extensions| header field and this header field indicates the use of an extension that was not present in the client's handshake (the server has indicated an extension not requested by the client), the client MUST _Fail the WebSocket Connection_."}
	ruleOpenData     = &Rule{"RFC 6455 §4.1", "Once the client's opening handshake has been sent, the client MUST wait for a response from the server before sending any further data."}
	ruleOpenGlued    = &Rule{"RFC 6455 §4.2.2", "If the server finishes these steps without aborting the WebSocket handshake, the server considers the WebSocket connection to be established and that the WebSocket connection is in the OPEN state. At this point, the server may begin sending (and receiving) data."}
	ruleReply101     = &Rule{"RFC 6455 §4.1", "If the status code received from the server is not 101, the client handles the response per HTTP [RFC2616] procedures."}
	ruleReplyUpgrade = &Rule{"RFC 6455 §4.1", "If the response lacks an |Upgrade| header field or the |Upgrade| header field contains a value that is not an ASCII case-insensitive match for the value \"websocket\", the client MUST _Fail the WebSocket Connection_."}
	ruleReplyConn    = &Rule{"RFC 6455 §4.1", "If the response lacks a |Connection| header field or the |Connection| header field doesn't contain a token that is an ASCII case-insensitive match for the value \"Upgrade\", the client MUST _Fail the WebSocket Connection_."}
	ruleReplyAccept  = &Rule{"RFC 6455 §4.1", "If the response lacks a |Sec-WebSocket-Accept| header field or the |Sec-WebSocket-Accept| contains a value other than the base64-encoded SHA-1 of the concatenation of the |Sec-WebSocket-Key| (as a string, not base64-decoded) with the string \"258EAFA5-E914-47DA-95CA-C5AB0DC85B11\" but ignoring any leading and trailing whitespace, the client MUST _Fail the WebSocket Connection_."}
	ruleReplyProto   = &Rule{"RFC 6455 §4.1", "If the response includes a |Sec-WebSocket-Protocol| header field and this header field indicates the use of a subprotocol that was not present in the client's handshake (the server has indicated a subprotocol not requested by the client), the client MUST _Fail the WebSocket Connection_."}
	ruleHTTPBody     = &Rule{"RFC 9112 §6.3", "The presence of a message body in a request is signaled by a Content-Length or Transfer-Encoding header field."}
	ruleHTTPSpace    = &Rule{"RFC 9112 §5.1", "A field line value might be preceded and/or followed by optional whitespace (OWS); a single SP preceding the field line value is preferred for consistent readability by humans."}
	ruleHTTPLists    = &Rule{"RFC 9110 §5.3", "A recipient MAY combine multiple field lines within a field section that have the same field name into one field line [...] by appending each subsequent field line value to the initial field line value in order, separated by a comma."}

	ruleDeflate     = &Rule{"RFC 7692 §7.2.1", "An endpoint uses the following algorithm to compress a message. 1. Compress all the octets of the payload of the message using DEFLATE. [...]"}
	ruleDeflateRSV  = &Rule{"RFC 7692 §6", "An endpoint MUST NOT set the \"Per-Message Compressed\" bit of control frames and non-first fragments of a data message. An endpoint receiving such a frame MUST _Fail the WebSocket Connection_."}
	ruleDeflateMix  = &Rule{"RFC 7692 §6", "A message with the \"Per-Message Compressed\" bit unset on the first fragment of the message is called an \"uncompressed message\"."}
	ruleDeflateBad  = &Rule{"RFC 7692 §7.2.2", "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message. [...] Decompress the resulting data using DEFLATE."}
	ruleDeflateMany = &Rule{"RFC 7692 §7.2.1", "Multiple DEFLATE blocks may be used to compress one message. DEFLATE blocks of any type may be used."}
	ruleDeflateBin1 = &Rule{"RFC 7692 §7.2.1", "Both DEFLATE blocks with the \"BFINAL\" bit set to 0 and DEFLATE blocks with the \"BFINAL\" bit set to 1 may be used."}
	ruleDeflateNone = &Rule{"RFC 7692 §7.2.3.6", "The single octet 0x00 contains the header bits with \"BFINAL\" set to 0 and \"BTYPE\" set to 00, and 5 padding bits of 0."}
	ruleServerBits  = &Rule{"RFC 7692 §7.1.2.1", "A server accepts an extension negotiation offer with this parameter by including the \"server_max_window_bits\" extension parameter in the extension negotiation response to send back to the client with the same or smaller value as the offer."}
	ruleClientBits  = &Rule{"RFC 7692 §7.1.2.2", "If a received extension negotiation offer doesn't have the \"client_max_window_bits\" extension parameter, the corresponding extension negotiation response to the offer MUST NOT include the \"client_max_window_bits\" extension parameter."}
	ruleKeepClient  = &Rule{"RFC 7692 §7.1.2.2", "By including this parameter in an extension negotiation response, a server limits the LZ77 sliding window size that the client uses to compress messages."}
	ruleNoTakeoverS = &Rule{"RFC 7692 §7.1.1.1", "A server accepts an extension negotiation offer that includes the \"server_no_context_takeover\" extension parameter by including the \"server_no_context_takeover\" extension parameter in the corresponding extension negotiation response to send back to the client."}
	ruleNoTakeoverC = &Rule{"RFC 7692 §7.1.1.2", "By including the \"client_no_context_takeover\" extension parameter in an extension negotiation response, a server prevents the peer client from using context takeover."}
	ruleTakeover    = &Rule{"RFC 7692 §7.2.1", "If the \"agreed parameters\" contain the \"client_no_context_takeover\" extension parameter, the client MUST start compressing each new message with an empty LZ77 sliding window. Otherwise, the client MAY take over the LZ77 sliding window used to build the last compressed message."}
	ruleDecline     = &Rule{"RFC 7692 §7.1", "A server MUST decline an extension negotiation offer for this extension if any of the following conditions are met: The negotiation offer contains an extension parameter not defined for use in an offer. The negotiation offer contains an extension parameter with an invalid value. The negotiation offer contains multiple extension parameters with the same name. [...]"}
	ruleAnswerBad   = &Rule{"RFC 7692 §7.1", "A client MUST _Fail the WebSocket Connection_ if the peer server accepted an extension negotiation offer for this extension with an extension negotiation response meeting any of the following conditions: The negotiation response contains an extension parameter not defined for use in a response. [...] an extension parameter with an invalid value. [...] multiple extension parameters with the same name. [...]"}
)

// Rules about endings.
var (
	ruleFailClose   = &Rule{"RFC 6455 §5.5.1", "After both sending and receiving a Close message, an endpoint considers the WebSocket connection closed and MUST close the underlying TCP connection. The server MUST close the underlying TCP connection immediately; the client SHOULD wait for the server to close the connection but MAY close the connection at any time after sending and receiving a Close message, e.g., if it has not received a TCP Close from the server in a reasonable time period."}
	ruleNothingMore = &Rule{"RFC 6455 §5.5.1", "The application MUST NOT send any more data frames after sending a Close frame."}
	ruleUnfit       = &Rule{"RFC 7692 §7.1", "A client MUST _Fail the WebSocket Connection_ if the peer server accepted an extension negotiation offer for this extension with an extension negotiation response meeting any of the following conditions: [...] The client does not support the configuration that the response represents."}
	ruleKeyRandom   = &Rule{"RFC 6455 §4.1", "The value of this header field MUST be a nonce consisting of a randomly selected 16-byte value that has been base64-encoded. [...] The nonce MUST be selected randomly for each connection."}
	ruleHostPort    = &Rule{"RFC 6455 §4.1", "The request MUST contain a |Host| header field whose value contains /host/ plus optionally \":\" followed by /port/ (when not using the default port)."}
	ruleFragment    = &Rule{"RFC 6455 §3", "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used on these URIs."}
	ruleEOF         = &Rule{"RFC 6455 §7.2.1", "If at any point the underlying transport layer connection is unexpectedly lost, the client MUST _Fail the WebSocket Connection_."}
	ruleIANA        = &Rule{"RFC 6455 §11.7", "This specification creates a new IANA registry for WebSocket Connection Close Code Numbers in accordance with the principles set out in RFC 5226 [RFC5226]."}
)

// Rules of HTTP.
var (
	ruleHTTPColon   = &Rule{"RFC 9112 §5.1", "A server MUST reject, with a response status code of 400 (Bad Request), any received request message that contains whitespace between a header field name and colon."}
	ruleAbsolute    = &Rule{"RFC 9112 §3.2.2", "a server MUST accept the absolute-form in requests even though most HTTP/1.1 clients will only send the absolute-form to a proxy."}
	ruleEmptyLine   = &Rule{"RFC 9112 §2.2", "In the interest of robustness, a server that is expecting to receive and parse a request-line SHOULD ignore at least one empty line (CRLF) received prior to the request-line."}
	ruleNoLength    = &Rule{"RFC 9110 §8.6", "A server MUST NOT send a Content-Length header field in any response with a status code of 1xx (Informational) or 204 (No Content)."}
	ruleNoEncoding  = &Rule{"RFC 9112 §6.1", "A server MUST NOT send a Transfer-Encoding header field in any response with a status code of 1xx (Informational) or 204 (No Content)."}
	ruleNoBody101   = &Rule{"RFC 9112 §6.3", "Any response to a HEAD request and any response with a 1xx (Informational), 204 (No Content), or 304 (Not Modified) status code is always terminated by the first empty line after the header fields, regardless of the header fields present in the message, and thus cannot contain a message body or trailer section."}
	ruleCloseOption = &Rule{"RFC 9112 §9.6", "A server that sends a \"close\" connection option MUST initiate closure of the connection [...] after it sends the response containing the \"close\" connection option."}
	ruleInterim     = &Rule{"RFC 9110 §15.2", "A client MUST be able to parse one or more 1xx responses received prior to a final response, even if the client does not expect one."}
	ruleHTTP10      = &Rule{"RFC 9110 §15.2", "Since HTTP/1.0 did not define any 1xx status codes, a server MUST NOT send a 1xx response to an HTTP/1.0 client."}
	ruleHTTPValue   = &Rule{"RFC 9110 §5.5", "Field values containing CR, LF, or NUL characters are invalid and dangerous, due to the varying ways that implementations might parse and interpret those characters; a recipient of CR, LF, or NUL within a field value MUST either reject the message or replace each of those characters with SP before further processing or forwarding of that message."}
)
