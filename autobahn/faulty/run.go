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

// Play plays the first cases of the fuzzing server that connect connects to, with a
// client that has a defect, several at once; limit 0 is all of them.
func Play(connect func() (net.Conn, error), agent, defect string, limit, parallel int) {
	if limit == 0 {
		limit = count(connect)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for n := range limit {
		slots <- struct{}{}
		wg.Go(func() {
			dial(connect, "/runCase?case="+strconv.Itoa(n+1)+"&agent="+agent, defect)
			<-slots
		})
	}
	wg.Wait()
}

// count is how many cases there are.
func count(connect func() (net.Conn, error)) int {
	nc, err := connect()
	if err != nil {
		return 0
	}
	defer nc.Close()
	e := open(nc, "/getCaseCount", "")
	if e == nil {
		return 0
	}
	h, err := e.header()
	if err != nil {
		return 0
	}
	e.begin(h)
	if err := e.payload(h); err != nil {
		return 0
	}
	n, _ := strconv.Atoi(string(e.message))
	e.closeFrame([]byte{3, 232})
	return n
}
