//go:build !linux

package testenv

import "syscall"

// dieWithParent has no counterpart here: what a killed program started remains.
func dieWithParent() *syscall.SysProcAttr { return nil }
