package testenv

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

func TestWaitReady(t *testing.T) {
	t.Parallel()
	never := func(context.Context) error { return errors.New("connection refused") }
	for name, tc := range map[string]struct {
		givenScript string
		givenCheck  func(context.Context) error
		wantErr     []string
	}{
		"a program that is ready": {
			givenScript: "exec sleep 300", givenCheck: func(context.Context) error { return nil },
		},
		"a program that ends shows the end of its output": {
			givenScript: "echo cannot bind; echo to port 1 >&2; exit 3", givenCheck: never,
			wantErr: []string{"shell", "ended by itself", "cannot bind\nto port 1"},
		},
		"a program that is not ready in time shows why and its output": {
			givenScript: "echo starting; exec sleep 300", givenCheck: never,
			wantErr: []string{"shell", "not ready", "connection refused", "starting"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := startProgram("shell", "/bin/sh", "-c", "exec 2>&1; "+tc.givenScript)
			if err != nil {
				t.Fatal(err)
			}
			defer p.stop()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			checkError(t, p.waitReady(ctx, tc.givenCheck), tc.wantErr)
		})
	}
}

func TestStartProgramThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := startProgram("etcd", "/nonexistent/etcd")
	checkError(t, err, []string{"etcd", "/nonexistent/etcd"})
}

func TestStopIsIdempotent(t *testing.T) {
	t.Parallel()
	p, err := startProgram("sleep", "/bin/sleep", "300")
	if err != nil {
		t.Fatal(err)
	}
	if p.hasEnded() {
		t.Fatal("it has ended before it was stopped")
	}
	p.stop()
	p.stop()
	if !p.hasEnded() {
		t.Error("it has not ended")
	}
	(*process)(nil).stop()
}

func TestTail(t *testing.T) {
	t.Parallel()
	var kept tail
	for _, s := range []string{"the beginning", strings.Repeat("x", tailBytes-3), "end"} {
		if n, err := kept.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	if got := kept.last(5); got != "xxend" {
		t.Errorf("got %q", got)
	}
	if got := kept.last(2 * tailBytes); len(got) != tailBytes || strings.Contains(got, "beginning") {
		t.Errorf("kept %d bytes, want %d", len(got), tailBytes)
	}
}

func TestProgramsDieWithTheirParent(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has parent-death signals")
	}
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), orphanVariable+"=1")
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, 0); err != nil {
		t.Fatalf("the child does not run: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, func(context.Context) error {
		if isRunning(child) {
			return errors.New("the child outlives its parent")
		}
		return nil
	})
}

// isRunning reports whether a process exists and is not a zombie.
func isRunning(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}

// eventually fails the test if check does not return nil in time.
func eventually(t *testing.T, check func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), pollInterval, time.Minute, true,
		func(ctx context.Context) (bool, error) {
			last = check(ctx)
			return last == nil, nil
		})
	if err != nil {
		t.Fatalf("%v: %v", err, last)
	}
}
