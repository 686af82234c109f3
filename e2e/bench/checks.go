package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// needed of the machine.
const (
	neededFiles  = 4096
	neededMemory = 4 << 30
)

// check returns everything that would make the run fail in the middle.
func check() error {
	return errors.Join(checkFolders(), checkVariables(os.Getenv), checkPrograms(), checkFiles(), checkMemory(), checkPort(), checkProc())
}

// tuned are variables that would make programs of Go run otherwise than a user's.
var tuned = []string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"}

func checkVariables(env func(string) string) error {
	var set []error
	for _, name := range tuned {
		if env(name) != "" {
			set = append(set, fmt.Errorf("%s is set, which changes what is measured: unset it", name))
		}
	}
	return errors.Join(set...)
}

func checkPrograms() error {
	var missing []error
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		if _, err := testenv.Program(name); err != nil {
			missing = append(missing, err)
		}
	}
	if _, err := exec.LookPath("go"); err != nil {
		missing = append(missing, fmt.Errorf("the manager is built with go: %w", err))
	}
	return errors.Join(missing...)
}

func checkFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	return enoughFiles(limit.Cur)
}

func enoughFiles(have uint64) error {
	if have < neededFiles {
		return fmt.Errorf("only %d files may be open, and %d are needed: run \"ulimit -n %[2]d\"", have, neededFiles)
	}
	return nil
}

func checkMemory() error {
	m, err := machineHere()
	if err != nil {
		return err
	}
	if m.available < neededMemory {
		return fmt.Errorf("only %d MiB of memory are free, and %d are needed", m.available>>20, neededMemory>>20)
	}
	return nil
}

// checkPort finds out whether there is a port on the loopback address.
func checkPort() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not resolve a name.
	if err != nil {
		return fmt.Errorf("no free port on 127.0.0.1: %w", err)
	}
	return listener.Close()
}

func checkProc() error {
	if _, err := measure.Of(os.Getpid()); err != nil {
		return fmt.Errorf("CPU time and memory are read from /proc, which this system (%s) has not: %w", runtime.GOOS, err)
	}
	return nil
}
