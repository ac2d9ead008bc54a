// Package group runs a shell command in its own process group, so that everything it starts
// can be ended with it, and a Ctrl-C at the terminal does not reach it. A Guard ends the group
// even if this process is killed.
package group
