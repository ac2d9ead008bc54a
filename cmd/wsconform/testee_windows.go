package main

import (
	"os/exec"
	"strconv"
)

func shell(command string) *exec.Cmd { return exec.Command("cmd", "/C", command) }

func ownGroup(*exec.Cmd) {}

// endGroup ends the command and what it started.
func endGroup(cmd *exec.Cmd, _ bool) {
	exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run()
}

// groupAlive: taskkill waits.
func groupAlive(*exec.Cmd) bool { return false }
