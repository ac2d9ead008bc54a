// # What is accepted, and what is refused
//
// Every check weighs three things: what the standards demand, what browsers, proxies and
// devices are known to send, and what an attacker could gain. If the standards forbid
// something that harmless peers do send, and an attacker gains nothing by it, it is
// accepted. "net/http" marks what Go's HTTP library decides before this package is
// called.
//
// The server's role, with the status that a request is answered with:
//
//	S01  a method other than GET                              405  6455 4.2.1; methods have case (9110 9.1)
//	S02  HTTP/1.0 (H04)                                       505  9110 7.8: its Upgrade must be ignored; nginx: proxy_http_version 1.1
//	S03  the preface of HTTP/2 (H21)                          405  8441 is another handshake; there is no h2 here
//	S04  Upgrade: h2c alone (H21)                             400  not ours to upgrade to
//	S05  Upgrade: h2c, websocket (H29)                        101  9110 7.8: a list; the server takes what it speaks
//	S06  an absolute target, without Origin (H29)             101  9112 3.2.2 demands it; proxies send it
//	S07  an absolute target, its host being the Origin (H11)  403  it replaces Host, and no browser sends it to a server
//	S08  no Host, two, or one that is no host                 400  net/http; 9112 3.2 demands it
//	S09  an empty Host                                        400  6455 4.2.1: "containing the server's authority"
//	S10  more header lines than MaxHeaders                    431  ours: a bound; browsers send 20
//	S11  Content-Length: 0 (H27)                              101  an empty body is none; Envoy, Shelly, Mojo, Vapor send it
//	S12  Content-Length above 0 (H01)                         400  a body read as frames, or frames as a body, is smuggling
//	S13  Transfer-Encoding: chunked, even of nothing (H02)    400  as S12: its last chunk is bytes after the head; H03, too
//	S14  Transfer-Encoding: anything else, or empty           501  net/http; 9112 6.1
//	S15  Content-Length empty, signed, a list, two            400  net/http; 9112 6.3: no length can be told
//	S16  no Upgrade, an empty one, none that is websocket     400  6455 4.2.1; a proxy took it away, or it is no handshake
//	S17  Upgrade, Connection: any case, lists, lines (H09)    101  9110 5.3, 5.6.1, 7.8; Firefox sends keep-alive, Upgrade
//	S18  Connection without upgrade                           400  6455 4.2.1; a proxy that saw no upgrade reuses the connection
//	S19  Sec-WebSocket-Version other, empty, missing (H08)    426  6455 4.2.2, with the version that is spoken
//	S20  Sec-WebSocket-Version: a list, a leading zero        426  6455 4.3: one number; no known client sends these
//	S21  two Sec-WebSocket-Version (H06)                      400  6455 11.3.5; they contradict each other, or a proxy misread one
//	S22  a key whose last bits are set (H28)                  101  6455 4.3 derives it; the example of 4.1 is one
//	S23  a key of other length, alphabet or padding (H07)     400  6455 4.2.1: 16 bytes, and no other base64
//	S24  two keys (H06)                                       400  6455 11.3.1; which of them a proxy answers for is unknown
//	S25  Sec-WebSocket-Protocol empty                         101  6455 4.3 forbids it; it offers nothing, and so it is read
//	S26  a subprotocol offered again                          101  6455 4.1 binds the client only; the first counts
//	S27  a subprotocol that is no token (H19)                 400  6455 4.2.1; an escape or quote is no name to select
//	S28  more than 64 subprotocols                            400  ours: a bound
//	S29  Sec-WebSocket-Extensions empty                       101  6455 9.1 forbids it; Ktor sends it, and it offers nothing
//	S30  Sec-WebSocket-Extensions malformed                   400  6455 9.1: "MUST immediately _Fail"
//	S31  more than 16 extensions or 64 parameters             400  ours: a bound
//	S32  an unknown extension, or parameters of one           101  6455 9.1, 7692 7: it is declined
//	S33  no Origin, or an empty one                           101  6455 4.2.1: no page; WebSocket4Net sends it empty, no page can
//	S34  Origin of another page, null, or two (A01)           403  6455 10.2; no browser sends two
//	S35  an empty line before the request                     400  net/http; see below
//	S36  bare LF as line end, folded lines (H12)              101  net/http; 9112 2.2, 5.2: may
//	S37  white space before a colon, NUL or CR in a value     400  net/http; 9112 5.1 and 9110 5.5 demand it
//	S38  Expect: 100-continue                                 101  net/http; 9110 10.1.1: there is no body to wait for
//	S39  Expect: anything else                                417  net/http; 9110 10.1.1: may
//	S40  HTTP/2, where another handler's server speaks it      505  8441 is another handshake, and there is no connection to take over
//
// S35 is 101 if server.Serve accepted the connection without TLS. RFC 9112 §2.2 asks a
// server to ignore at least one such line, and Serve's connections can skip it at the
// cost of one comparison in their first read. It remains 400 under another http.Server,
// and with TLS, because net/http insists on crypto/tls's own connections.
//
// The client's role, with whether Dial returns a connection:
//
//	C01  a status other than 101                              no   6455 4.1; MaxRedirects says which are followed
//	C02  HTTP/1.0 101                                         no   9110 7.8: 1.0 has no Upgrade; browsers refuse it, too
//	C03  interim responses before the 101                     yes  9110 15.2 demands it
//	C04  any reason phrase, or none                           yes  9112 4: it should be ignored
//	C05  header names in any case, white space around values  yes  9110 5.1, 5.5
//	C06  Upgrade: any case, on several lines                  yes  6455 4.1: each is websocket; h2o 2.2.3 sent two
//	C07  Upgrade missing, empty, or other than websocket      no   6455 4.1, also if websocket is among others
//	C08  Connection: upgrade among others, any case, lines    yes  6455 4.1
//	C09  Connection without upgrade                           no   6455 4.1
//	C10  Sec-WebSocket-Accept missing, empty, of another key  no   6455 4.1: what answers did not read the request
//	C11  Sec-WebSocket-Accept twice, and the same             yes  6455 11.3.3 binds the server only; nothing is in doubt
//	C12  Sec-WebSocket-Protocol missing or empty              yes  6455 4.2.2 forbids the latter; it selects none
//	C13  a subprotocol not offered, in other case, several    no   6455 4.1
//	C14  Sec-WebSocket-Protocol twice, and the same           yes  6455 11.3.4 binds the server only; nothing is in doubt
//	C15  Sec-WebSocket-Extensions empty                       yes  as S29
//	C16  an extension that was not offered                    no   6455 4.1
//	C17  permessage-deflate twice                             no   which parameters hold is in doubt
//	C18  parameters quoted, and with white space              yes  6455 9.1
//	C19  parameters that do not answer the offer              no   7692 7: the messages would not inflate
//	C20  Content-Length or Transfer-Encoding in the 101       yes  9112 6.3: a 101 has no body, whatever they say
//	C21  a head above 16 KiB                                  no   ours: a bound
//	C22  a line that is no header field                       no   net/http; 9112 5
package handshake
