package worker

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How the two sides prove that they know the token. The agent speaks first:
//
//	agent:      wsbench-agent 2 NONCE
//	controller: NONCE' PROOF("controller", NONCE, NONCE')
//	agent:      PROOF("agent", NONCE', NONCE), or "refused" or "busy" and the end
//
// Nonces are 32 random bytes, proofs are HMAC-SHA256 under the token, all in
// hexadecimal. An eavesdropper learns nothing to use again. From the token and the
// nonces follows the key of a sealer.
const (
	program  = "wsbench-agent "
	greeting = program + "2"
)

// authTime is the time limit for all of that.
const authTime = 5 * time.Second

// ReadToken reads a token from a file: one line, at least 16 characters.
func ReadToken(path string) (string, error) {
	if path == "" {
		return "", errors.New("--token-file is missing: an agent does what any controller asks that knows its token")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if len(token) < 16 || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("%s must hold one line of at least 16 characters (try: openssl rand -hex 16)", path)
	}
	return token, nil
}

func nonce() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func proof(token, role, theirs, mine string) string {
	h := hmac.New(sha256.New, []byte(token))
	io.WriteString(h, role+" "+theirs+" "+mine)
	return hex.EncodeToString(h.Sum(nil))
}

// readLine reads a short line without reading any further.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < 256; {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
	return "", errors.New("line is too long")
}

// turn is how long a controller waits for the previous one to leave. It is less than
// authTime.
const turn = 2 * time.Second

// authenticate is the agent's side. A controller that knows the token receives from free,
// which has one value while there is no controller.
func authenticate(nc net.Conn, token string, free <-chan struct{}) (*sealer, error) {
	nc.SetDeadline(time.Now().Add(authTime))
	defer nc.SetDeadline(time.Time{})
	mine := nonce()
	fmt.Fprintf(nc, "%s %s\n", greeting, mine)
	line, err := readLine(nc)
	if err != nil {
		return nil, fmt.Errorf("controller says nothing: %w", err)
	}
	theirs, got, _ := strings.Cut(line, " ")
	if len(theirs) != 64 || !hmac.Equal([]byte(got), []byte(proof(token, "controller", mine, theirs))) {
		io.WriteString(nc, "refused\n")
		return nil, errors.New("controller does not know the token")
	}
	wait := time.NewTimer(turn)
	defer wait.Stop()
	select {
	case <-free:
	case <-wait.C:
		io.WriteString(nc, "busy\n")
		return nil, errors.New("there is another controller")
	}
	// If this fails, serving does, too.
	fmt.Fprintf(nc, "%s\n", proof(token, "agent", theirs, mine))
	return newSealer(token, mine, theirs), nil
}

// introduce is the controller's side.
func introduce(nc net.Conn, token string) (*sealer, error) {
	nc.SetDeadline(time.Now().Add(authTime))
	defer nc.SetDeadline(time.Time{})
	line, err := readLine(nc)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("what listens has said nothing for %v", authTime)
	}
	theirs, ok := strings.CutPrefix(line, greeting+" ")
	if !ok && strings.HasPrefix(line, program) {
		return nil, errors.New("the agent is of another version of wsbench")
	}
	if err != nil || !ok {
		return nil, errors.New("that is not a wsbench agent")
	}
	mine := nonce()
	fmt.Fprintf(nc, "%s %s\n", mine, proof(token, "controller", theirs, mine))
	line, err = readLine(nc)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the agent ended the conversation: %w", err)
	case line == "refused":
		return nil, errors.New("the agent has another token")
	case line == "busy":
		return nil, errors.New("the agent is busy: it has another controller, or is named twice")
	case !hmac.Equal([]byte(line), []byte(proof(token, "agent", mine, theirs))):
		return nil, errors.New("what answers does not know the token")
	}
	return newSealer(token, theirs, mine), nil
}

// DialAgent connects to an agent.
func DialAgent(ctx context.Context, addr, token string) (Worker, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, &LostError{fmt.Errorf("agent %s: %w", addr, err)}
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	s, err := introduce(nc, token)
	if err != nil || !stop() {
		nc.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &LostError{fmt.Errorf("agent %s: %w", addr, err)}
	}
	return newRemote("agent "+addr, nc, s, nil), nil
}

// ListenAndServe is the agent: it serves one controller after another until ctx ends. It
// calls notice, possibly from several goroutines at once, when a controller comes or goes.
// If the end of ctx cut a controller's run short, the error is the context's cause.
func ListenAndServe(ctx context.Context, ln net.Listener, token string, notice func(string)) error {
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	var visits sync.WaitGroup
	defer visits.Wait()
	free := make(chan struct{}, 1)
	free <- struct{}{}
	var cut atomic.Bool
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() == nil {
				return err
			}
			if visits.Wait(); cut.Load() {
				return context.Cause(ctx)
			}
			return nil
		}
		visits.Go(func() {
			defer context.AfterFunc(ctx, func() { nc.Close() })()
			s, err := authenticate(nc, token, free)
			if err != nil {
				notice(fmt.Sprintf("%s: %v", nc.RemoteAddr(), err))
				nc.Close()
				return
			}
			notice(fmt.Sprintf("%s: controller", nc.RemoteAddr()))
			serve(ctx, buffered{nc, bufio.NewReader(nc)}, s)
			if ctx.Err() != nil {
				cut.Store(true)
				notice(fmt.Sprintf("%s: its run is cut short", nc.RemoteAddr()))
				return
			}
			notice(fmt.Sprintf("%s: gone", nc.RemoteAddr()))
			free <- struct{}{}
		})
	}
}

type buffered struct {
	net.Conn
	r io.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.r.Read(p) }
