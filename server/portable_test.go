package server

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
)

var portableFlag = flag.Bool("server.portable", false, "run the tests on the portable kernel")

// testKernel makes the kernels that the tests run on.
func testKernel() (kernel, error) {
	if *portableFlag {
		return newPortable(), nil
	}
	return newKernel(0)
}

// onGoroutines reports whether the tests run on the portable kernel, under which
// a connection has goroutines.
func onGoroutines() bool {
	k, err := testKernel()
	if err != nil {
		panic(err)
	}
	k.release()
	_, ok := k.(*portable)
	return ok
}

// The whole suite again, on goroutines instead of epoll: what a connection does
// must not depend on what carries it. One test alone runs so with
//
//	go test ./server -run TestEcho -server.portable
func TestPortableKernel(t *testing.T) {
	if onGoroutines() {
		t.Skip("this is the portable kernel")
	}
	cmd := exec.Command(os.Args[0], "-server.portable", "-test.v", "-test.timeout=5m")
	if testing.Short() {
		cmd.Args = append(cmd.Args, "-test.short")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, failures(string(out)))
	}
	t.Logf("%d tests passed", strings.Count("\n"+string(out), "\n--- PASS"))
}

// failures are the parts of the output of go test -v that tell what failed.
func failures(out string) string {
	var b strings.Builder
	for _, part := range strings.SplitAfter(out, "\n=== RUN") {
		if strings.Contains(part, "--- FAIL") || strings.Contains(part, "\npanic: ") || strings.Contains(part, "DATA RACE") {
			b.WriteString(part)
		}
	}
	if b.Len() == 0 {
		return out
	}
	return b.String()
}
