package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startTime bounds the start of the simulator.
	startTime = 2 * time.Minute
	// lookInterval is how often a starting simulator is looked at.
	lookInterval = 20 * time.Millisecond
	// stopTime is how long it may take to exit when it is told to.
	stopTime = 10 * time.Second
)

// Simulation is a simulator in a process of its own.
type Simulation struct {
	folder string
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{}
	client *http.Client

	stopOnce sync.Once
}

// Start starts the program with Command as its first argument, and returns when the simulator
// serves its clusters. program is usually this one.
func Start(ctx context.Context, program string, clusters int) (_ *Simulation, err error) {
	s := &Simulation{ended: make(chan struct{})}
	if s.folder, err = os.MkdirTemp("", "caapb-fleet-"); err != nil {
		return nil, err
	}
	socket := filepath.Join(s.folder, "socket")
	s.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	s.cmd = exec.Command(program, Command, //nolint:gosec,noctx // It is this program, and Stop ends it.
		"-clusters="+strconv.Itoa(clusters), "-socket="+socket)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.start(); err != nil {
		_ = os.RemoveAll(s.folder) // What stays behind is an empty folder.
		return nil, fmt.Errorf("simulator: %w", err)
	}
	if err := s.waitReady(ctx, socket); err != nil {
		s.Stop()
		return nil, fmt.Errorf("simulator: %w: %s", err, strings.TrimSpace(s.output.String()))
	}
	return s, nil
}

// start keeps the thread that started the program until it has ended: the kernel would kill
// the program with it.
func (s *Simulation) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // How it ended does not matter: it is not to end by itself.
		}
		close(s.ended)
	}()
	return <-started
}

// waitReady waits for the socket, which the simulator makes when it serves.
func (s *Simulation) waitReady(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		if _, err := os.Stat(socket); err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("has ended by itself")
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}

// PID returns its process.
func (s *Simulation) PID() int { return s.cmd.Process.Pid }

// Kubeconfigs returns those of all clusters, in order.
func (s *Simulation) Kubeconfigs(ctx context.Context) ([][]byte, error) {
	var all [][]byte
	return all, s.ask(ctx, http.MethodGet, "/kubeconfigs", nil, &all)
}

// Reset forgets what was seen. Await then waits for that many watches of each cluster, of
// which the first are given; the others may have any number.
func (s *Simulation) Reset(ctx context.Context, goals []int) error {
	return s.ask(ctx, http.MethodPost, "/reset", goals, nil)
}

// Await returns when all clusters had the watches that Reset was told.
func (s *Simulation) Await(ctx context.Context) error {
	return s.ask(ctx, http.MethodGet, "/await", nil, nil)
}

// Seen returns what the clusters were asked since the last Reset.
func (s *Simulation) Seen(ctx context.Context) (Seen, error) {
	var seen Seen
	return seen, s.ask(ctx, http.MethodGet, "/seen", nil, &seen)
}

// SetSilent makes the clusters from one to before another accept connections and never answer,
// or answer again.
func (s *Simulation) SetSilent(ctx context.Context, from, to int, on bool) error {
	return s.ask(ctx, http.MethodPost, "/silence", silence{From: from, To: to, On: on}, nil)
}

// Record keeps what a cluster is asked from now on, until Recording.
func (s *Simulation) Record(ctx context.Context, cluster int) error {
	return s.ask(ctx, http.MethodPost, "/record?cluster="+strconv.Itoa(cluster), nil, nil)
}

// Recording ends the recording and returns it.
func (s *Simulation) Recording(ctx context.Context) ([]Request, error) {
	if err := s.ask(ctx, http.MethodPost, "/record", nil, nil); err != nil {
		return nil, err
	}
	var all []Request
	return all, s.ask(ctx, http.MethodGet, "/recording", nil, &all)
}

// ask sends a request to the simulator and decodes its answer, unless that is nil.
func (s *Simulation) ask(ctx context.Context, method, path string, body, answer any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://simulator"+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // A part is enough.
		return fmt.Errorf("simulator: %s: %s: %s", path, resp.Status, bytes.TrimSpace(text))
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

// Stop ends the simulator. It may be called more than once, and on nil.
func (s *Simulation) Stop() {
	if s == nil {
		return
	}
	s.stopOnce.Do(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // The only error is that it has ended.
		killer := time.AfterFunc(stopTime, func() { _ = s.cmd.Process.Kill() })
		defer killer.Stop()
		<-s.ended
		s.client.CloseIdleConnections()
		_ = os.RemoveAll(s.folder) // What stays behind does no harm.
	})
}
