//go:build race

package server

import "syscall"

// The race detector takes a write to a descriptor for something that comes before a read from
// one, because package syscall tells it so. The loops make their system calls themselves, so
// under the race detector they also read and write nothing by package syscall. Otherwise it
// would report a race between what a client of the same process did before it wrote, and a
// callback that its message causes.

func afterRead(fd int)   { syscall.Read(fd, nil) }
func beforeWrite(fd int) { syscall.Write(fd, nil) }
