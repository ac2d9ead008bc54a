//go:build unix && !linux

package redistest

import "syscall"

var endWithParent *syscall.SysProcAttr
