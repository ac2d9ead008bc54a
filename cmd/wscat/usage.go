package main

import "github.com/hawser-ws/hawser/cmd/internal/connect"

var usage = `usage: wscat [flags] URL
       wscat completion bash|zsh|fish
       wscat --version

Connects to a ws:// or wss:// URL, sends each line of standard input as a text
message, and prints each message that arrives. When the input has ended and no more
messages come (see --wait), or on Ctrl-C, it closes the connection properly; a
second Ctrl-C ends it at once.

  wscat ws://127.0.0.1:9001/
  echo hello | wscat --once ws://127.0.0.1:9001/
  wscat --hex --ping 5s --subprotocol chat.v2,chat.v1 wss://chat.example/ws

what goes out
  --once                send all of the input as one message (nothing if it is
                        empty), print the first message that arrives, and close
  --wait D              at the end of the input, wait until no message has come for
                        D (default 3s, with --once 10s; 0 if the input is typed).
                        0 closes at once, -1 waits until the other side closes.
                        Pings and pongs do not count as messages
  --binary              send binary messages
  --ping D              ping every D (5s, 500ms) and report the round-trip times
  --close CODE[:REASON] close with this code (default 1000; 1005 sends no code)
connecting
` + connect.Help + `  --timeout D           give up connecting after D (default 10s)
A user and password in the URL are sent by Basic authentication.
what comes in
  --hex                 print every frame sent and received, instead of messages
  --max-message BYTES   maximum size of a received message (default 16777216)
  --close-timeout D     wait this long for the other side's Close (default 5s)

Messages go to standard output, notices to standard error. A newline is added to
text; binary is written unchanged. On a terminal, control characters in text are
escaped and binary is shown in hex.

exit status
  0  closed properly: with 1000, 1001 or no code, or by us with --close's code
  1  could not connect, or the handshake was refused
  2  wrong usage
  3  closed by the other side with another code, or in the middle of a message
  4  ended without the other side's Close (1006)
  5  the other side violated the protocol, or exceeded --max-message
  6  --once: no message came within --wait, or before the other side closed properly
  7  standard input could not be read, or not all of it was sent before the other
     side closed properly; or standard output could not be written, or was not
     read when the program was interrupted
`
