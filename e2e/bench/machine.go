package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine is where the run is.
type machine struct {
	cores            int
	processor        string
	memory           int64
	available        int64
	kernel, compiler string
}

func machineHere() (machine, error) {
	m := machine{cores: runtime.NumCPU(), compiler: runtime.Version()}
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, err
	}
	m.memory, m.available = kib(memory, "MemTotal:"), kib(memory, "MemAvailable:")
	processor, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m, err
	}
	m.processor = strings.TrimPrefix(fieldOf(processor, "model name"), ": ")
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	m.kernel = strings.TrimSpace(string(kernel))
	return m, err
}

// fieldOf returns what follows the name at the beginning of a line.
func fieldOf(content []byte, name string) string {
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

func kib(content []byte, name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(fieldOf(content, name), " kB"), 10, 64)
	if err != nil {
		return 0 // It is checked against what is needed.
	}
	return n << 10
}

// String describes the machine, without a date or a name.
func (m machine) String() string {
	return fmt.Sprintf("%d cores (%s), %d GiB of memory, Linux %s, %s",
		m.cores, m.processor, (m.memory+(1<<29))>>30, m.kernel, m.compiler)
}
