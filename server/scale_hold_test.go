//go:build faults && linux

package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/frame"
)

// held is what a process that holds connections says of them.
type held struct {
	Open            int64
	Reached         int64 // have received a message
	Silent          int   // have not answered the last ping
	Messages        int64
	Ended           []ended
	Resident        int64
	Took            time.Duration // the last command
	Failed, Limited string        // what went wrong, and which limit that was
}

// ends sums up what they say of ended connections.
func (h *held) ends() endCounts {
	es := endCounts{}
	for _, e := range h.Ended {
		es.merge(e)
	}
	return es
}

// holdOpen opens connections to an address, from sources of its own. It says what it
// holds then, and after every command.
func holdOpen(args []string) error {
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	network, err := strconv.ParseUint(args[1], 10, 8)
	if err != nil {
		return err
	}
	m, err := newMass("/fanout", &sources{network: byte(network)})
	if err != nil {
		return err
	}
	start := time.Now()
	_, failed := m.dialAll(args[0], n)
	say := func(failed error, took time.Duration, silent int) {
		h := held{Silent: silent, Open: m.open.Load(), Reached: m.first.Load(), Messages: m.messages.Load(), Resident: residentOf(os.Getpid()), Took: took}
		m.mu.Lock()
		h.Ended = slices.Collect(maps.Values(m.ends))
		m.mu.Unlock()
		if failed != nil {
			h.Failed, h.Limited = failed.Error(), limitBehind(failed)
		}
		json.NewEncoder(os.Stdout).Encode(h)
	}
	say(failed, time.Since(start), 0)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var failed error
		var took time.Duration
		var silent int
		switch command, argument, _ := strings.Cut(in.Text(), " "); command {
		case "ping":
			limit, err := time.ParseDuration(argument)
			if err != nil {
				return err
			}
			took, silent = m.pingAll(limit)
		case "fanout":
			server, err := strconv.ParseUint(argument, 10, 8)
			if err != nil {
				return err
			}
			failed = m.sendUnreached(byte(server))
		}
		say(failed, took, silent)
	}
	return nil
}

// sendUnreached has a connection that has received nothing speak to its group, and so gives
// its server a number.
func (m *mass) sendUnreached(server byte) error {
	var from Conn
	for _, l := range m.loops {
		l.call(func() {
			for c := range l.present() {
				if c.value == nil && from == (Conn{}) {
					from = c.handle()
				}
			}
		})
	}
	if from == (Conn{}) {
		return errors.New("every connection has received a message already")
	}
	return from.Send(frame.Binary, []byte{server})
}

// limitBehind names what the machine has run out of, if that is what an error says.
func limitBehind(err error) string {
	for errno, limit := range map[syscall.Errno]string{
		syscall.EMFILE:        "descriptors of this process (ulimit -n)",
		syscall.ENFILE:        "descriptors of the system (fs.file-max)",
		syscall.EADDRNOTAVAIL: "ports of the source addresses (net.ipv4.ip_local_port_range)",
		syscall.EADDRINUSE:    "ports of the source addresses (net.ipv4.ip_local_port_range)",
		syscall.ENOMEM:        "memory",
		syscall.ENOBUFS:       "memory of sockets (net.ipv4.tcp_mem)",
	} {
		if errors.Is(err, errno) {
			return limit
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return "the server turned it away, which it does when its own descriptors have run out (ulimit -n)"
	}
	return fmt.Sprintf("unknown: %v", err)
}
