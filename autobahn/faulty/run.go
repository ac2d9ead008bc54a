package faulty

import (
	"net"
	"strconv"
	"sync"
)

// Serve echoes to all clients that connect to ln, with a defect; "" for none. It returns
// when ln is closed and every connection has ended.
func Serve(ln net.Listener, defect string) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() { serveConn(nc, defect) })
	}
}

// Play has a client with a defect play cases 1 to count of the fuzzing server that
// connect connects to, so many at once.
func Play(connect func() (net.Conn, error), agent, defect string, count, parallel int) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for n := 1; n <= count; n++ {
		slots <- struct{}{}
		wg.Go(func() {
			dial(connect, "/runCase?case="+strconv.Itoa(n)+"&agent="+agent, defect)
			<-slots
		})
	}
	wg.Wait()
}
