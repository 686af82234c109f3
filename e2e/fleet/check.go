package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// memoryBase and memoryPerCluster are what a run is refused below: API server, etcd,
	// manager and simulator together.
	memoryBase       = 2 << 30
	memoryPerCluster = 1 << 20
	// filesBase is what a process needs beside its connections: one for each Cluster, and half
	// as many again for those that connect anew.
	filesBase = 1000
)

// check refuses a run that the machine cannot carry, all reasons at once, before anything
// is started.
func (w *world) check(ctx context.Context) error {
	if err := os.MkdirAll(w.options.out, 0o755); err != nil { //nolint:gosec // Results are for everybody.
		return err
	}
	available, total, err := memory()
	if err != nil {
		return err
	}
	if err := errors.Join(
		checkPrograms("etcd", "kube-apiserver"),
		checkGo(),
		checkMemory(available, w.layout.size()),
		checkFiles(w.layout.size()),
		checkFolder(w.options.out),
	); err != nil {
		return err
	}
	w.result.Machine = machine(ctx, total)
	w.detail("programs, memory (%d MiB available), files and the folder %s are there", available>>20, w.options.out)
	if w.result.Machine.LoadBefore > float64(runtime.NumCPU())/4 {
		w.detail("something else works on this machine (load %.1f): times will be worthless", w.result.Machine.LoadBefore)
	}
	return nil
}

func checkPrograms(names ...string) error {
	var missing []error
	for _, name := range names {
		_, err := testenv.Program(name)
		missing = append(missing, err)
	}
	return errors.Join(missing...)
}

func checkGo() error {
	if _, err := exec.LookPath("go"); err != nil {
		return fmt.Errorf("the manager is built from source: %w", err)
	}
	return nil
}

func checkMemory(available int64, clusters int) error {
	if need := int64(memoryBase) + int64(clusters)*memoryPerCluster; available < need {
		return fmt.Errorf("%d simulated clusters need about %d MiB of memory, and %d MiB are available",
			clusters, need>>20, available>>20)
	}
	return nil
}

// checkFiles looks at the hard limit: programs in Go raise the soft one to it.
func checkFiles(clusters int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if need := uint64(clusters+clusters/2) + filesBase; limit.Max < need { //nolint:gosec // It is positive.
		return fmt.Errorf("%d simulated clusters need %d open files in one process, and the limit is %d: raise it with \"ulimit -Hn\"",
			clusters, need, limit.Max)
	}
	return nil
}

func checkFolder(name string) error {
	f, err := os.CreateTemp(name, ".check-")
	if err != nil {
		return fmt.Errorf("the results have no place: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// memory returns what /proc/meminfo has, in bytes.
func memory() (available, total int64, err error) {
	content, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0, fmt.Errorf("a run needs Linux: %w", err)
	}
	for line := range strings.Lines(string(content)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64) // 0 for others
		switch name {
		case "MemAvailable":
			available = kib << 10
		case "MemTotal":
			total = kib << 10
		}
	}
	if available == 0 || total == 0 {
		return 0, 0, errors.New("/proc/meminfo does not tell what memory there is")
	}
	return available, total, nil
}

// machine describes where the run takes place.
func machine(ctx context.Context, total int64) outcome.Machine {
	return outcome.Machine{
		Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Processors: runtime.NumCPU(), Memory: total,
		Commit: commit(ctx), Go: runtime.Version(), LoadBefore: load(),
	}
}

// commit returns what is checked out, and whether that was changed.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=8").Output()
	if err != nil {
		return "unknown"
	}
	return string(bytes.TrimSpace(out))
}

// load returns the load average of the last minute, 0 if it is not known.
func load() float64 {
	content, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(content), " ")
	average, _ := strconv.ParseFloat(first, 64)
	return average
}
