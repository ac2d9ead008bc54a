// Package host reads what Linux knows of processes and of the machine: CPU time,
// resident memory, the kernel's memory for sockets, and what disturbs a
// measurement. It measures nothing itself and decides nothing.
package host
