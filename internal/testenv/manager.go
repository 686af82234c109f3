package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// ManagerOptions configure how this project's manager runs.
type ManagerOptions struct {
	// Management is the management cluster that it works on. Required.
	Management *Management
	// CacheDir is its --cache-dir. Required.
	CacheDir string
	// Race builds it with the race detector: a race ends it.
	Race bool
	// Config is its --config. Empty: a file that allows sources on the loopback address,
	// where those of the tests are.
	Config string
	// Args are further arguments.
	Args []string
	// Env is added to the environment.
	Env []string
}

// Manager is a process of this project's manager.
type Manager struct {
	process *process
	program string
	metrics string
}

// StartManager builds the manager from the source and starts it as the
// administrator of a management cluster.
func StartManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	built := plainManager
	if o.Race {
		built = raceManager
	}
	program, err := built()
	if err != nil {
		return nil, err
	}
	health, err := freePort()
	if err != nil {
		return nil, err
	}
	metrics, err := freePort()
	if err != nil {
		return nil, err
	}
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	p, err := startWith(o.env(), "manager", program, append([]string{
		"--kubeconfig=" + o.Management.KubeconfigPath(),
		"--cache-dir=" + o.CacheDir,
		"--health-addr=127.0.0.1:" + health,
		"--insecure-diagnostics",
		"--diagnostics-address=127.0.0.1:" + metrics,
		"--config=" + config,
	}, o.Args...)...)
	if err != nil {
		return nil, err
	}
	ready := func(ctx context.Context) error {
		return getOK(ctx, http.DefaultClient, "http://127.0.0.1:"+health+"/readyz")
	}
	if err := p.waitReady(ctx, ready); err != nil {
		p.stop()
		return nil, err
	}
	return &Manager{process: p, program: program, metrics: "http://127.0.0.1:" + metrics + "/metrics"}, nil
}

// env returns what is added to the environment. A manager whose memory may be measured
// collects garbage as one of a user does. One that looks for data races also panics when
// an object of its cache was changed, of which it makes no copies.
func (o ManagerOptions) env() []string {
	if o.Race {
		return append([]string{"KUBE_CACHE_MUTATION_DETECTOR=true"}, o.Env...)
	}
	return append([]string{gcVariable + "=100"}, o.Env...)
}

// Loopback is a configuration that allows sources on the loopback address.
const Loopback = `apiVersion: config.addons.cluster.x-k8s.io/v1alpha1
kind: ManagerConfiguration
addresses: {allowed: [127.0.0.0/8, "::1/128"]}
`

// config returns the file that configures the manager, by default beside the kubeconfig of
// its management cluster.
func (o ManagerOptions) config() (string, error) {
	if o.Config != "" {
		return o.Config, nil
	}
	path := filepath.Join(filepath.Dir(o.Management.KubeconfigPath()), "manager-config.yaml")
	return path, os.WriteFile(path, []byte(Loopback), 0o600)
}

// A program builds each manager once: to link it takes longer than most tests do, and go
// build links it whenever it is asked to.
var (
	plainManager = sync.OnceValues(func() (string, error) { return buildManager("manager") })
	raceManager  = sync.OnceValues(func() (string, error) { return buildManager("manager-race", "-race") })
)

// buildManager builds the manager into the repository's bin. Tests of several
// packages do so at the same time, so it gets its name when it is complete.
func buildManager(name string, flags ...string) (string, error) {
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Join(root, "bin"), "manager-")
	if err != nil {
		return "", fmt.Errorf("building the manager: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // A folder that stays behind does no harm.
	made := filepath.Join(dir, name)
	// No debugger looks at it.
	args := slices.Concat([]string{"build", "-ldflags=-s -w", "-o", made}, flags, []string{"."})
	cmd := exec.Command("go", args...) //nolint:noctx // Who comes next needs it, too.
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building the manager: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	program := filepath.Join(root, "bin", name)
	return program, os.Rename(made, program)
}

// Run runs another command of the manager's program to its end, and returns what it wrote
// to standard output and to standard error.
func (m *Manager) Run(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	var out, report bytes.Buffer
	cmd := exec.CommandContext(ctx, m.program, args...)
	cmd.Stdout, cmd.Stderr = &out, &report
	err = cmd.Run()
	return out.String(), report.String(), err
}

// Done is closed when the manager has ended, by itself or since it was stopped.
func (m *Manager) Done() <-chan struct{} { return m.process.ended }

// Kill kills the manager with SIGKILL and returns when it has exited.
func (m *Manager) Kill() { m.process.stop() }

// Stop sends SIGTERM to the manager and returns when it has exited.
func (m *Manager) Stop() {
	_ = syscall.Kill(m.process.pid, syscall.SIGTERM) // The only error is that it has ended.
	<-m.process.ended
}

// Ended returns nil while the manager runs, else an error with the end of its
// output.
func (m *Manager) Ended() error {
	if !m.process.hasEnded() {
		return nil
	}
	return m.process.failure(errEnded)
}

// Log returns the end of the manager's log, at most 64 KiB.
func (m *Manager) Log() string { return m.process.output.last(tailBytes) }

// MetricsURL is where the manager serves its metrics.
func (m *Manager) MetricsURL() string { return m.metrics }

// PeakMemory returns the largest resident set that the manager has had, in
// bytes, as Linux reports it (VmHWM in proc_pid_status(5)).
func (m *Manager) PeakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.process.pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the kernel does not tell the peak of the resident set")
}
