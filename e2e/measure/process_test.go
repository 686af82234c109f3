package measure

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestTimesAreReadBehindAnyName(t *testing.T) {
	t.Parallel()
	const stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 500 0 7 0 130 20 3 4 20 0 9 0 100 1000 200"
	got, err := parseCPU(stat)
	if err != nil {
		t.Fatal(err)
	}
	if want := 1570 * time.Millisecond; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestALineThatIsCutIsAnError(t *testing.T) {
	t.Parallel()
	for _, stat := range []string{"", "42 (a", "42 (a) S 1 42"} {
		if got, err := parseCPU(stat); err == nil {
			t.Errorf("%q gave %v", stat, got)
		}
	}
}

func TestAProcessThatWorksHasUsedTime(t *testing.T) {
	t.Parallel()
	before, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	after := before
	for after.CPU < before.CPU+2*tick {
		if after, err = Of(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if after.Memory <= 0 || after.PeakMemory < after.Memory/2 {
		t.Errorf("memory %d, at most %d", after.Memory, after.PeakMemory)
	}
}

func TestChildrenAreOfTheTree(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "cat")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait()
	})
	children, err := childrenOf(os.Getpid())
	if err != nil || !slices.Contains(children, cmd.Process.Pid) {
		t.Fatalf("%v lacks %d: %v", children, cmd.Process.Pid, err)
	}
	if _, err := OfTree(os.Getpid()); err != nil {
		t.Error(err)
	}
}

func TestAnEndedProcessIsGone(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if CPUOfEnded(cmd.ProcessState) < 0 {
		t.Error("it used less than nothing")
	}
	if _, err := Of(cmd.Process.Pid); !isGone(err) {
		t.Errorf("it has not gone: %v", err)
	}
}

// The peak that Linux keeps of a process that has ended would have the memory of this one.
func TestThePeakOfAProcessIsItsOwn(t *testing.T) {
	t.Parallel()
	const ballastBytes = 64 << 20
	ballast := make([]byte, ballastBytes)
	for i := range ballast {
		ballast[i] = byte(i) // It is resident only when it was written.
	}
	cmd := exec.CommandContext(t.Context(), "cat")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watch := WatchPeak(cmd.Process.Pid)
	for watch.bytes.Load() == 0 {
		runtime.Gosched()
	}
	_ = input.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if peak := watch.Stop(); peak <= 0 || peak >= ballastBytes {
		t.Errorf("its peak is %d bytes", peak)
	}
	runtime.KeepAlive(ballast)
}
