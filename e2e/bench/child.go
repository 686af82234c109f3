package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
)

// childArgument, as the only argument but one, makes this program a child: the other is the
// name of a task.
const childArgument = "child-of-bench"

// Work is what a child process is to do.
type Work struct {
	// Kubeconfig is the file by which it connects.
	Kubeconfig string
	Step       Step
	// Dir is the Dir of the way's Setup.
	Dir string
	// Width is how many requests are under way at once, for a task that asks.
	Width int
}

// task is what this program does as a child process. It makes ready, reading of files
// included, and returns what is timed. What that has not done when it returns does not count.
type task func(ctx context.Context, w Work) (run func(context.Context) error, err error)

// childWay is a way whose client is this program as a child process, a new one each step,
// so that its CPU time and memory are those of the way's engine alone.
type childWay struct {
	name, description string
	// prepare may be nil.
	prepare func(context.Context, Setup) error
	// width of its Work.
	width int

	setup Setup
}

// Name is the name of its task, too.
func (w *childWay) Name() string { return w.name }

// Describe returns its description.
func (w *childWay) Describe() string { return w.description }

// Prepare keeps the Setup, for the Work.
func (w *childWay) Prepare(ctx context.Context, s Setup) error {
	w.setup = s
	if w.prepare == nil {
		return nil
	}
	return w.prepare(ctx, s)
}

// Attach needs nothing: each child gets the kubeconfig.
func (w *childWay) Attach(_ context.Context, t *Target) (Session, error) {
	return &childSession{way: w, target: t}, nil
}

// Close has nothing to stop.
func (w *childWay) Close() {}

type childSession struct {
	way    *childWay
	target *Target
}

// Close has nothing to end: each child ends with its step.
func (s *childSession) Close(context.Context) error { return nil }

// Ready starts the child and waits until it is ready.
func (s *childSession) Ready(ctx context.Context, step Step) (Run, error) {
	c, err := startChild(ctx, s.way.name, Work{
		Kubeconfig: s.target.Kubeconfig, Step: step, Dir: s.way.setup.Dir, Width: s.way.width,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.way.name, err)
	}
	return func(context.Context, <-chan struct{}) (measure.Usage, error) { return c.run() }, nil
}

// child is such a process. The context that it was started with ends it.
type child struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
	errors bytes.Buffer
	before measure.Usage
}

// The lines by which parent and child agree on when the clock starts.
const (
	readyLine = "ready"
	goLine    = "go"
)

func startChild(ctx context.Context, name string, w Work) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, program, childArgument, name)}
	c.cmd.Stderr = &c.errors
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.output = bufio.NewReader(output)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if err := c.makeReady(w); err != nil {
		_ = c.input.Close() // The child ends by that, if it has not.
		return nil, c.failure(err, c.cmd.Wait())
	}
	return c, nil
}

// makeReady hands over the work, and waits until the child is ready for it.
func (c *child) makeReady(w Work) (err error) {
	if err := json.NewEncoder(c.input).Encode(w); err != nil {
		return err
	}
	line, err := c.output.ReadString('\n')
	if err != nil {
		return err
	}
	if strings.TrimSpace(line) != readyLine {
		return fmt.Errorf("says %q", line)
	}
	c.before, err = measure.Of(c.cmd.Process.Pid)
	return err
}

// run lets the child begin, and returns what it used from then on when it has ended.
func (c *child) run() (measure.Usage, error) {
	if _, err := io.WriteString(c.input, goLine+"\n"); err != nil {
		return measure.Usage{}, c.failure(err, c.cmd.Wait())
	}
	used, err := c.report()
	if ended := c.cmd.Wait(); err != nil || ended != nil {
		return measure.Usage{}, c.failure(err, ended)
	}
	used.CPU -= c.before.CPU
	return used, nil
}

// report is what the child says of itself at its end: the peak of its memory is gone with it.
func (c *child) report() (used measure.Usage, err error) {
	line, err := c.output.ReadBytes('\n')
	if err != nil {
		return used, err
	}
	return used, json.Unmarshal(line, &used)
}

func (c *child) failure(err, ended error) error {
	if ended != nil {
		err = ended
	}
	return fmt.Errorf("%w: %s", err, lastBytes(c.errors.Bytes()))
}

// lastBytes returns as much of the end of an output as an error should show.
func lastBytes(output []byte) []byte {
	const most = 2 << 10
	output = bytes.TrimSpace(output)
	return output[max(0, len(output)-most):]
}

// beChild is what a child process does with its input and output.
func beChild(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	make, ok := tasks[name]
	if !ok {
		return fmt.Errorf("there is no task %q", name)
	}
	input := bufio.NewReader(in)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return err
	}
	var w Work
	if err := json.Unmarshal(line, &w); err != nil {
		return err
	}
	run, err := make(ctx, w)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, readyLine); err != nil {
		return err
	}
	if start, err := input.ReadString('\n'); err != nil || strings.TrimSpace(start) != goLine {
		return fmt.Errorf("was not told to begin: %q, %w", start, err)
	}
	if err := run(ctx); err != nil {
		return err
	}
	used, err := measure.Of(os.Getpid())
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(used)
}
