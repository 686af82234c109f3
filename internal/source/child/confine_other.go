//go:build !linux

package child

import (
	"os"
	"syscall"
)

// executable is this program.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

func attributes() *syscall.SysProcAttr { return nil }

func kill(p *os.Process) error { return p.Kill() }

// confineSystem does nothing: the manager is only developed on other systems.
func confineSystem(int64, uint64) error { return nil }
