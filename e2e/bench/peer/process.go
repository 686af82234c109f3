package peer

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	// grace is how much longer than the time of an order its report is awaited: a library
	// may look at its context only now and then.
	grace = 10 * time.Second
	// errorTail is how much of what a program wrote an error shows.
	errorTail = 2 << 10
)

// Build builds the program of a package into a folder, and returns its path. The error has
// what the compiler says. The working directory has to be in the module of the package.
func Build(ctx context.Context, pkg, folder string) (string, error) {
	program := filepath.Join(folder, "peer-"+filepath.Base(pkg))
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not build: %w: %s", pkg, err, lastOf(out))
	}
	return program, nil
}

// Process is a program that waits for orders.
type Process struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	lines  *bufio.Scanner
	output lastBytes
}

// Start starts a program.
func Start(program string) (*Process, error) {
	p := &Process{cmd: exec.Command(program)} //nolint:noctx // It outlives the call; Stop ends it.
	p.cmd.Stderr = &p.output
	var err error
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewScanner(out)
	p.lines.Buffer(nil, maxLine)
	return p, p.cmd.Start()
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Do hands over an order and returns when it is reported. A program that does not report in
// time is killed.
func (p *Process) Do(ctx context.Context, order Order) (notes []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, order.Within+grace)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })()
	if err := json.NewEncoder(p.orders).Encode(order); err != nil {
		return nil, p.ended(ctx, err)
	}
	if !p.lines.Scan() {
		return nil, p.ended(ctx, cmp.Or(p.lines.Err(), io.EOF))
	}
	report := Report{}
	if err := json.Unmarshal(p.lines.Bytes(), &report); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return report.Notes, report.err()
}

// ended is the error of a program that does not report.
func (p *Process) ended(ctx context.Context, err error) error {
	p.Stop()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("%s has ended without a report: %w; its output ends with:\n%s",
		filepath.Base(p.cmd.Path), err, p.output.kept)
}

// Stop ends the program and returns when it has. It may be called twice.
func (p *Process) Stop() {
	_ = p.orders.Close()
	_ = p.cmd.Process.Kill() // Nothing that it holds is worth an orderly end.
	_ = p.cmd.Wait()
}

// lastBytes is a writer that keeps the end of what was written.
type lastBytes struct{ kept []byte }

// Write never fails.
func (l *lastBytes) Write(p []byte) (int, error) {
	l.kept = append([]byte(nil), lastOf(append(l.kept, p...))...)
	return len(p), nil
}

func lastOf(out []byte) []byte {
	return out[max(0, len(out)-errorTail):]
}
