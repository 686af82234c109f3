package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/slots"
)

// Config bounds the children of a Runner. Every field must be positive; start from
// DefaultConfig.
type Config struct {
	// Memory of a child, in bytes.
	Memory int64
	// Processor is the time that it may have a processor, in whole seconds.
	Processor time.Duration
	// Time from its start to its end. On a busy machine it has a processor for a small
	// part of it.
	Time time.Duration
	// Output of its task, in bytes.
	Output int64
	// AtOnce is how many run at the same time, each for another namespace, until Resize.
	AtOnce int
}

// DefaultConfig returns 512 MiB of memory, 30 seconds of a processor within 2 minutes,
// 64 MiB of output, and two at once.
func DefaultConfig() Config {
	return Config{Memory: 512 << 20, Processor: 30 * time.Second, Time: 2 * time.Minute, Output: 64 << 20, AtOnce: 2}
}

// Runner starts child processes. It is safe for concurrent use.
type Runner struct {
	Config

	slots *slots.Slots
}

// New returns a Runner, or an error when a field of cfg is not positive. The program has
// to begin with Main.
func New(cfg Config) (*Runner, error) {
	if min(cfg.Memory, int64(cfg.Processor), int64(cfg.Time), cfg.Output, int64(cfg.AtOnce)) <= 0 {
		return nil, errors.New("child process: a limit is not positive")
	}
	return &Runner{Config: cfg, slots: slots.New(1, cfg.AtOnce)}, nil
}

// Resize has so many children run at the same time. It must be positive. Those that run
// go on.
func (r *Runner) Resize(atOnce int) { r.slots.Resize(1, atOnce) }

// start is what a child is started with.
type start struct {
	task, crashReason, namespace string
	request                      []byte
	body                         io.Reader
	output                       io.Writer
}

const (
	// maxAnswer bounds the line with the answer, in bytes.
	maxAnswer = 1 << 20
	// maxCrash bounds what is kept of the text of a crash, in bytes.
	maxCrash = 64 << 10
)

var errTime = errors.New("the time of the child is over")

// run starts a child and returns its answer once it has ended.
func (r *Runner) run(ctx context.Context, s start) (answer, error) {
	release, err := r.slots.Acquire(ctx, s.namespace)
	if err != nil {
		return answer{}, stopped(ctx, s.task)
	}
	defer release()
	// The kernel kills the child when the thread ends that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	within, cancel := context.WithTimeoutCause(ctx, r.Time, errTime)
	defer cancel()
	p := process{limits: r.Config, task: s.task, crashReason: s.crashReason}
	answered, err := p.talk(r.command(within, s.task), s)
	return answered, p.outcome(ctx, within, err)
}

// command returns the command that starts this program anew. Its environment is empty, and
// not that of this process.
func (r *Runner) command(ctx context.Context, task string) *exec.Cmd {
	memory, seconds := strconv.FormatInt(r.Memory, 10), strconv.Itoa(int(max(1, r.Processor/time.Second)))
	cmd := exec.CommandContext(ctx, executable(), argument, task, memory, seconds) //nolint:gosec // this program itself
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return kill(cmd.Process) }
	cmd.WaitDelay = time.Second
	return cmd
}

// process is one child, and how it ended.
type process struct {
	limits            Config
	task, crashReason string

	body   bodyReader
	crash  head
	output limitedWriter
	// used is how long it had a processor.
	used time.Duration
}

// talk gives a child what it is to do, and reads what it answers.
func (p *process) talk(cmd *exec.Cmd, s start) (answered answer, err error) {
	p.body = bodyReader{r: s.body}
	p.output = limitedWriter{w: s.output, left: p.limits.Output}
	cmd.Stdin = io.MultiReader(bytesOf(s.request), &p.body)
	cmd.Stderr = &p.crash
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return answer{}, internal(s.task, "it cannot be started", err)
	}
	if err := cmd.Start(); err != nil {
		return answer{}, internal(s.task, "it cannot be started", err)
	}
	answered, err = p.read(stdout)
	if err != nil {
		_ = kill(cmd.Process) // it may have ended
	}
	err = errors.Join(cmd.Wait(), err)
	if state := cmd.ProcessState; state != nil {
		p.used = state.UserTime() + state.SystemTime()
	}
	return answered, err
}

// read reads the answer of a child and copies its output.
func (p *process) read(stdout io.Reader) (answered answer, err error) {
	buffered := bufio.NewReader(stdout)
	line, err := readLine(buffered, maxAnswer)
	if err != nil {
		return answer{}, err
	}
	if err := json.Unmarshal(line, &answered); err != nil {
		return answer{}, err
	}
	_, err = io.Copy(&p.output, buffered)
	return answered, err
}
