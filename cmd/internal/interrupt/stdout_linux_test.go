package interrupt

import (
	"os"
	"strings"
	"testing"
)

// What could not be written is not passed over in silence.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	cmd := program(t, "full")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = full, &said
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if want := "3 1 standard output: write /dev/stdout: no space left on device\n"; said.String() != want {
		t.Errorf("%q, want %q", said.String(), want)
	}
}
