package server

// movingKernel is a kernel whose connections can move to another process.
type movingKernel interface {
	// descriptor returns the process's descriptor for fd.
	descriptor(fd int) int

	// abandon closes fd without an effect on the connection, which another process has.
	abandon(fd int)
}
