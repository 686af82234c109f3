package measure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of times in /proc: Linux has 100 a second on all that Go runs on.
const tick = 10 * time.Millisecond

// Usage is what a process has used since it started.
type Usage struct {
	// CPU is user and system time, that of children which have ended included. In steps of 10 ms.
	CPU time.Duration
	// Memory is the resident set in bytes, PeakMemory the largest that it has been.
	Memory, PeakMemory int64
}

// Of returns what the process has used so far.
func Of(pid int) (Usage, error) {
	stat, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return Usage{}, err
	}
	status, err := os.ReadFile(procFile(pid, "status"))
	if err != nil {
		return Usage{}, err
	}
	u := Usage{}
	if u.CPU, err = parseCPU(string(stat)); err != nil {
		return Usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	if u.Memory, err = parseMemory(string(status), "VmRSS:"); err != nil {
		return Usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	if u.PeakMemory, err = parseMemory(string(status), "VmHWM:"); err != nil {
		return Usage{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return u, nil
}

// OfTree returns what the process and all its descendants that run have used together.
// PeakMemory is the sum of their peaks, which need not have been at the same time.
func OfTree(pid int) (Usage, error) {
	sum, err := Of(pid)
	if err != nil {
		return Usage{}, err
	}
	children, err := childrenOf(pid)
	if err != nil {
		return Usage{}, err
	}
	for _, child := range children {
		u, err := OfTree(child)
		if isGone(err) {
			continue // Its time is in that of its parent.
		}
		if err != nil {
			return Usage{}, err
		}
		sum.CPU += u.CPU
		sum.Memory += u.Memory
		sum.PeakMemory += u.PeakMemory
	}
	return sum, nil
}

// CPUOfEnded returns the CPU time that a process had used when it ended. The peak of its memory
// that Linux keeps then is of no use: it counts what the process had in common with the one
// that started it. See PeakWatch.
func CPUOfEnded(state *os.ProcessState) time.Duration { return state.UserTime() + state.SystemTime() }

// ResetPeak makes the kernel begin anew with the peak of the process's resident set.
func ResetPeak(pid int) error {
	return os.WriteFile(procFile(pid, "clear_refs"), []byte("5"), 0)
}

func procFile(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

// isGone reports whether a process ended while it was looked at.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, errNoMemory)
}

// parseCPU sums utime, stime, cutime and cstime of proc_pid_stat(5). They are counted
// from the end of the name, which may hold spaces and parentheses.
func parseCPU(stat string) (time.Duration, error) {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	const first, last = 11, 14 // utime is the 14th field; the name is the 2nd
	if end < 0 || len(fields) <= last {
		return 0, fmt.Errorf("%q is not a line of /proc/PID/stat", stat)
	}
	var sum time.Duration
	for _, field := range fields[first : last+1] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// errNoMemory is of a process that has ended and was not waited for.
var errNoMemory = errors.New("the kernel tells no resident set")

func parseMemory(status, field string) (int64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errNoMemory
}

// childrenOf returns the processes that the threads of a process have started.
func childrenOf(pid int) ([]int, error) {
	files, err := filepath.Glob(procFile(pid, "task/*/children"))
	if err != nil {
		return nil, err
	}
	var children []int
	for _, file := range files {
		content, err := os.ReadFile(file)
		if isGone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for field := range strings.FieldsSeq(string(content)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			children = append(children, child)
		}
	}
	slices.Sort(children)
	return children, nil
}
