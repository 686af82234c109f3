package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// startTimeout bounds every start: machines that test in parallel are slow.
	startTimeout = 2 * time.Minute
	// pollInterval is how often a starting program is polled for readiness.
	pollInterval = 50 * time.Millisecond
	// outputDelay is how long output is awaited after a program has ended: what it
	// has started itself may hold the pipe.
	outputDelay = time.Second
	// tailBytes is how much of a program's output is kept: what a manager writes while
	// its tests wait for what does not happen.
	tailBytes = 1 << 20
	// tailInError is how much of that an error shows.
	tailInError = 2 << 10
)

// process is a running program with the end of its output.
type process struct {
	name   string
	pid    int
	began  time.Time
	output tail
	kill   func() error
	ended  chan struct{}
}

// startProcess starts the program of that name from the assets.
func startProcess(name string, args ...string) (*process, error) {
	path, err := binary(name)
	if err != nil {
		return nil, err
	}
	return startProgram(name, path, args...)
}

func startProgram(name, path string, args ...string) (*process, error) {
	return startWith(nil, name, path, args...)
}

// startWith starts a program with more variables than those of this one.
func startWith(env []string, name, path string, args ...string) (*process, error) {
	cmd := exec.Command(path, args...) //nolint:noctx // It outlives the call; kill ends it.
	cmd.Env = append(os.Environ(), env...)
	return start(name, cmd)
}

// start starts a program, which ends with this one.
func start(name string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, began: time.Now(), ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	cmd.WaitDelay = outputDelay
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	go func() {
		// The kernel sends the parent-death signal when the thread that forked
		// ends: this one is kept until the program has ended.
		runtime.LockOSThread()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("%s: %w", name, err)
			return
		}
		started <- nil
		_ = cmd.Wait() // How it ended does not matter: it is not to end by itself.
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid, p.kill = cmd.Process.Pid, cmd.Process.Kill
	return p, nil
}

// waitReady returns nil as soon as check does, and an error that holds the end
// of the program's output if it ends before or does not become ready in time.
func (p *process) waitReady(ctx context.Context, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollInterval, startTimeout, true,
		func(ctx context.Context) (bool, error) {
			if p.hasEnded() {
				return false, errEnded
			}
			last = check(ctx)
			return last == nil, nil
		})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errEnded):
		return p.failure(err)
	default:
		return p.failure(fmt.Errorf("not ready: %w: %w", err, last))
	}
}

var errEnded = errors.New("has ended by itself")

// failure adds the program's name and the end of its output to err.
func (p *process) failure(err error) error {
	return fmt.Errorf("%s: %w; its output ends with:\n%s", p.name, err, p.output.last(tailInError))
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop kills the program and waits until it has exited. Nothing that it holds is
// worth an orderly end. It may be called twice, and on nil.
func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.kill() // The only error is that it has ended.
	<-p.ended
}

// tail is a writer that keeps the last tailBytes of what was written.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if len(t.kept) > 2*tailBytes { // rarely: what is kept is moved
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailBytes:]...)
	}
	return len(b), nil
}

// last returns at most the last n bytes, and no more than tailBytes.
func (t *tail) last(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept[max(0, len(t.kept)-min(n, tailBytes)):])
}
