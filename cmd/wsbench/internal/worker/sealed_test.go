package worker

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
)

// overheard is a connection whose bytes are written down.
type overheard struct {
	net.Conn
	mu    *sync.Mutex
	heard *bytes.Buffer
}

func (o overheard) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.heard.Write(p)
	o.mu.Unlock()
	return o.Conn.Write(p)
}

// What an agent needs to connect with reaches it, and nobody between.
func TestSealedJob(t *testing.T) {
	here, there := net.Pipe()
	var mu sync.Mutex
	var heard bytes.Buffer
	free := make(chan struct{}, 1)
	free <- struct{}{}
	admitted := make(chan *sealer, 1)
	go func() {
		s, err := authenticate(there, token, free)
		if err != nil {
			t.Error(err)
		}
		admitted <- s
	}()
	ours, err := introduce(here, token)
	if err != nil {
		t.Fatal(err)
	}
	theirs := <-admitted
	served := make(chan struct{})
	go func() {
		defer close(served)
		serve(context.Background(), there, theirs)
	}()
	w := newRemote("agent", overheard{here, &mu, &heard}, ours, nil)
	o := connect.Options{Proxy: "http://me:proxysecret@127.0.0.1:1"}
	o.Header = map[string][]string{"Authorization": {"Basic headersecret"}}
	o.Cert, o.Key = "no certificate", "keysecret"
	job := Job{Plan: load.Plan{Scenario: load.Echo, Conns: 1, Size: 64, Inflight: 1},
		Target: drive.Target{URL: "wss://127.0.0.1:1/", Options: o, Timeout: time.Second}, Share: load.Share{To: 1}}
	// That it finds no certificate shows that it read the options.
	if err := w.Prepare(t.Context(), job); err == nil || !strings.Contains(err.Error(), "--cert") {
		t.Errorf("Prepare: %v", err)
	}
	w.Close()
	<-served
	mu.Lock()
	defer mu.Unlock()
	if heard.Len() == 0 || strings.Contains(heard.String(), "secret") {
		t.Errorf("an eavesdropper hears %s", &heard)
	}
	if len(job.Sealed) != 0 || job.Target.Key == "" {
		t.Error("the caller's job was changed")
	}

	// Each conversation has a key of its own, and an agent takes nothing unsealed.
	sealed, err := ours.seal(job)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newSealer(token, "other", "nonces").open(sealed); err == nil {
		t.Error("a job was opened with the key of another conversation")
	}
	if _, err := theirs.open(job); err == nil {
		t.Error("a job without sealed options was taken")
	}
	if got, err := theirs.open(sealed); err != nil || got.Target.Key != "keysecret" {
		t.Errorf("opened: %v, %v", got.Target, err)
	}
	io.Copy(io.Discard, here)
}
