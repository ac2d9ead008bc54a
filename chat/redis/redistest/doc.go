// Package redistest starts real Redis processes for tests, and breaks them. Only tests import
// it. It knows nothing of chats, and uses no Redis library, so that it shares no errors with
// what is tested.
//
//	s := redistest.Start(t)                                // one server, in memory only
//	s := redistest.Start(t, redistest.AOF("always"), redistest.Password("secret"))
//	g := redistest.StartSentinel(t)                        // a master, two replicas, three sentinels
//	c := redistest.StartCluster(t)                         // three masters, each with a replica
//	r := redistest.StartRelay(t, s.Addr)                   // r.Addr leads to s, until r.Cut and so on
//
// Everything listens on free ports of 127.0.0.1, keeps its data in the test's temporary
// directory, and ends with the test. The ports are below the range from which systems choose
// ports, so that nothing takes them while a server is down. What a function starts is ready when
// it returns. A function that does not succeed ends the test with an error that shows the log.
//
// A [Server] is killed with Kill and stopped with Pause, as a machine dies or hangs; a [Relay]
// does the same to the connections. The clocks of all servers are the machine's.
//
// The command is redis-server, or valkey-server, or what HAWSER_REDIS_SERVER names.
//
// Read server.go, then sentinel.go, cluster.go and migration.go, and relay.go by itself.
// process.go and client.go are what the servers are made of.
package redistest
