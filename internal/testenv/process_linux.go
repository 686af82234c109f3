package testenv

import "syscall"

// dieWithParent makes the kernel kill the program when this one ends.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
