package redistest

import "syscall"

var endWithParent = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
