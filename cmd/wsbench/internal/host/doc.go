// Package host reads what Linux reports about processes and the machine: CPU time,
// resident memory, the kernel's memory for sockets, and things that disturb a
// measurement. It draws no conclusions.
package host
