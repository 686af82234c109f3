package child

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// executable is this program, even if another file has its path by now.
func executable() string { return "/proc/self/exe" }

// attributes has the child in a process group of its own, and killed when this process ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// kill kills a child and what it may have started.
func kill(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }

// confineSystem has the kernel confine this process.
func confineSystem(memory int64, seconds uint64) error {
	reserved, err := addresses()
	if err != nil {
		return err
	}
	limits := map[int]uint64{
		// RLIMIT_DATA does not hold: Linux counts nothing when the Go runtime uses what it
		// has reserved, so that one large text may have any size.
		unix.RLIMIT_AS: reserved + uint64(memory)*overhead, //nolint:gosec // positive
		// At the hard limit of RLIMIT_CPU the kernel kills; the Go runtime ignores the soft one.
		unix.RLIMIT_CPU: seconds, unix.RLIMIT_NOFILE: 16, unix.RLIMIT_CORE: 0,
	}
	for resource, limit := range limits {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fmt.Errorf("setrlimit %d: %w", resource, err)
		}
	}
	// What a child is given to do waits for the manager, which serves everybody: not so long
	// that a large chart is not done in its time. All threads of the child are in its group.
	if err := unix.Setpriority(unix.PRIO_PGRP, 0, niceness); err != nil {
		return fmt.Errorf("setpriority: %w", err)
	}
	return filter()
}

// niceness of a child: it gets a tenth of the time of a processor that the manager wants,
// too (setpriority(2)).
const niceness = 10

// addresses returns how many bytes of addresses this process has by now: the Go runtime
// reserves much more of them than it uses.
func addresses() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseUint(pages, 10, 64)
	return n * uint64(os.Getpagesize()), err //nolint:gosec // positive
}

// allowed are the system calls that the Go runtime makes, with and without cgo, once a
// program runs: memory, threads, signals, time, and what is done with open files. All
// others fail: no file is opened, no socket made, no program started.
var allowed = []string{
	"brk", "madvise", "mmap", "mprotect", "mremap", "munmap",
	"clone", "clone3", "exit", "exit_group", "futex", "gettid", "getpid", "rseq", "sched_getaffinity", "sched_yield",
	"set_robust_list", "arch_prctl", "membarrier",
	"restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "sigreturn",
	"clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "getrandom",
	"close", "fcntl", "fstat", "lseek", "read", "readv", "write", "writev",
	"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "pipe2", "poll", "ppoll",
}

// filter lets this process make the allowed system calls only, in all its threads. A child
// that cannot have it does nothing.
func filter() error {
	known, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	names := slices.DeleteFunc(slices.Clone(allowed), func(name string) bool {
		_, ok := known.SyscallNames[name]
		return !ok // of another architecture
	})
	own := seccomp.Condition{Argument: 0, Operation: seccomp.Equal, Value: uint64(os.Getpid())} //nolint:gosec // positive
	return seccomp.LoadFilter(seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{{
			Action: seccomp.ActionAllow, Names: names,
			NamesWithCondtions: []seccomp.NameWithConditions{
				{Name: "tgkill", Conditions: seccomp.ArgumentConditions{own}},
			},
		}}},
	})
}
