// Package handshake is the opening handshake of RFC 6455 §4, in both roles, for programs that
// bring their own connections: package wsproto/wsconn does the handshake itself, and so does
// package server for what it accepts.
//
// A server answers the client in a handler of net/http:
//
//	nc, left, res, err := upgrader.Upgrade(w, r)
//	if err != nil {
//		log.Print(err) // the client has been answered
//		return
//	}
//
// A client dials:
//
//	nc, left, res, err := handshake.Dial(ctx, "wss://chat.example/", &handshake.DialOptions{
//		Subprotocols: []string{"chat.v2"},
//	})
//
// Both verify everything that the other side sent before they return the connection. What
// they return is given to [server.Server.Adopt] or to [wsconn.New], or read and written with
// package wsproto.
//
// # Ownership
//
// The caller owns nc, without a deadline, and left: the bytes that arrived together with the
// handshake. These are frames, and no poller will ever report them again. res says what was
// agreed on.
//
// # Errors
//
// An [*Error] is a refusal, with its HTTP status, in both roles: [Upgrader.Upgrade] has sent it,
// [Dial] has received it. Other errors are those of the network and of ctx.
//
// # Limits
//
// A request may have 100 header lines ([Upgrader].MaxHeaders); a response's head, 16 KiB. How long
// a handshake may take is for the http.Server's timeouts and for Dial's context to say. By
// default an Upgrader admits web pages of its own host only; see [SameHost].
//
// [server.Server.Adopt]: https://pkg.go.dev/github.com/hawser-ws/hawser/server#Server.Adopt
// [wsconn.New]: https://pkg.go.dev/github.com/hawser-ws/hawser/wsproto/wsconn#New
package handshake
