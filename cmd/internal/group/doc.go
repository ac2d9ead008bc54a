// Package group runs a command of the shell in a process group of its own, so that
// all it starts can be ended with it, and a Ctrl-C at the terminal is not for it. A
// Guard ends the group also when this process is killed.
package group
