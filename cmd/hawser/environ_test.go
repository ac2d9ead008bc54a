package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// B02: the variables of a Kubernetes service called hawser do not prevent the start,
// and a misspelt setting is named in the log.
func TestForeignVariables(t *testing.T) {
	cmd := exec.Command(program, "serve", "--data", t.TempDir())
	cmd.Env = append(os.Environ(), "HAWSER_SERVICE_HOST=10.0.0.7", "HAWSER_SERVICE_PORT=80", "HAWSER_PORT=tcp://10.0.0.7:80",
		"HAWSER_PORT_80_TCP=tcp://10.0.0.7:80", "HAWSER_PORT_80_TCP_PROTO=tcp", "HAWSER_PORT_80_TCP_PORT=80", "HAWSER_PORT_80_TCP_ADDR=10.0.0.7",
		"HAWSER_LISTN=x", "HAWSER_DATA=", "HAWSER_LISTEN=127.0.0.1:0\n", "HAWSER_GUESTS=Yes")
	s := launchCommand(t, cmd)
	waitForLog(t, s, "variable HAWSER_LISTN: there is no such setting; did you mean HAWSER_LISTEN?")
	if log := s.log.String(); strings.Contains(log, "10.0.0.7") || strings.Contains(log, "SERVICE") {
		t.Errorf("it says something about the platform's variables:\n%s", log)
	}
	s.guest("Ada")
}
