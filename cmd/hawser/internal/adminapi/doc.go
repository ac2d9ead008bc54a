// Package adminapi is how administrators act on a running server: it bans users and networks, ends
// sessions, and lists the limits. It has both ends of that: Handler answers below /admin/ on the
// listener of admin_listen, and Client sends the requests.
//
// Every request needs a key (key.go). Everything that changes something is recorded by package
// audit before it is done, with the name of the key.
//
//	POST   /admin/bans    BanRequest            BanAnswer
//	DELETE /admin/bans    ?subject=…&reason=…   UnbanAnswer
//	GET    /admin/bans    ?after=…&limit=…      BansAnswer
//	POST   /admin/kick    KickRequest           KickAnswer
//	GET    /admin/limits                        LimitsAnswer
//	GET    /admin/debug/pprof/…                 profiles and traces, like those of net/http/pprof
//
// All but profiles is JSON (wire.go). Errors look like those of the chat: PROTOCOL.md,
// "error".
//
// The package does not know where bans are kept, or what a limit does.
package adminapi
