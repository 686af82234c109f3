package child_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
)

// secret is a value that no message may repeat.
const secret = "hunter2-correct-horse"

// task is what the children of these tests do.
type task = child.Task[string, string]

// does returns a task that does what its name says.
func does(name string, do func(in string, body io.Reader, output io.Writer) (string, error)) task {
	return task{Name: name, CrashReason: v1alpha1.ChartInvalidReason, Do: do}
}

// only returns a task that neither reads nor writes anything.
func only(name string, do func(in string) (string, error)) task {
	return does(name, func(in string, _ io.Reader, _ io.Writer) (string, error) { return do(in) })
}

var (
	upper = does("upper", func(in string, body io.Reader, output io.Writer) (string, error) {
		text, err := io.ReadAll(body)
		_, errWrite := io.WriteString(output, strings.ToUpper(string(text)))
		return strings.ToUpper(in), errors.Join(err, errWrite)
	})
	fails = only("fails", func(in string) (string, error) {
		return "", fault.Wrap("chart web", fault.Wait(v1alpha1.ThrottledReason, time.Minute, errors.New(in)))
	})
	dials = only("dials", func(in string) (string, error) {
		_, err := net.Dial("tcp", in)
		return fmt.Sprint(err), nil
	})
	resolves = only("resolves", func(in string) (string, error) {
		found, err := net.LookupHost(in)
		return fmt.Sprint(found, err != nil), nil
	})
	opens = only("opens", func(in string) (string, error) {
		_, err := os.ReadFile(in)
		return fmt.Sprint(err), nil
	})
	runs = only("runs", func(in string) (string, error) {
		return fmt.Sprint(exec.Command(in).Run()), nil
	})
	signals = only("signals", func(string) (string, error) {
		return fmt.Sprint(syscall.Kill(os.Getppid(), syscall.SIGTERM)), nil
	})
	environment = only("environment", func(string) (string, error) { return strings.Join(os.Environ(), " "), nil })
	hoards      = only("hoards", func(string) (string, error) {
		var kept [][]byte
		for {
			kept = append(kept, bytes.Repeat([]byte{1}, 1<<20))
			runtime.KeepAlive(kept)
		}
	})
	reserves = only("reserves", func(string) (string, error) {
		return fmt.Sprint(len(strings.Repeat("x", 1<<30))), nil
	})
	recurses = only("recurses", func(in string) (string, error) { return fmt.Sprint(deep(len(in))), nil })
	panics   = only("panics", func(in string) (string, error) { panic("fatal error: " + in) })
	spins    = only("spins", func(string) (string, error) { return spin(), nil })
	waits    = only("waits", func(string) (string, error) {
		<-time.After(time.Hour) // as one that gets no processor
		return "", nil
	})
	floods = does("floods", func(_ string, _ io.Reader, output io.Writer) (string, error) {
		_, err := output.Write(make([]byte, 2<<20))
		return "", err
	})
	logs = only("logs", func(in string) (string, error) {
		log.Print(in)
		panic("x")
	})
)

// deep never ends.
func deep(n int) int {
	if n < 0 {
		return n
	}
	return deep(n+1) + deep(n+2)
}

// spin never ends.
func spin() string {
	for n := uint64(1); n > 0; n |= 1 {
	}
	return ""
}

func TestMain(m *testing.M) {
	child.Main(upper, fails, dials, resolves, opens, runs, signals, environment, hoards, reserves, recurses, panics, spins, waits, floods, logs)
	os.Exit(m.Run())
}

// runner returns one with small limits.
func runner(t *testing.T, change func(*child.Config)) *child.Runner {
	t.Helper()
	cfg := child.Config{Memory: 256 << 20, Processor: time.Minute, Time: 5 * time.Minute, Output: 1 << 20, AtOnce: 2}
	if change != nil {
		change(&cfg)
	}
	r, err := child.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// answerOf has a child do a task.
func answerOf(t *testing.T, done task, in string) string {
	t.Helper()
	out, err := done.Run(t.Context(), runner(t, nil), child.Call[string]{In: in})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAChildReadsItsBodyAndAnswersAndWritesItsOutput(t *testing.T) {
	t.Parallel()
	var output strings.Builder
	body := strings.Repeat("body ", 100_000)
	got, err := upper.Run(t.Context(), runner(t, nil), child.Call[string]{
		In: "asked\nfor", Body: strings.NewReader(body), Output: &output,
	})
	if err != nil || got != "ASKED\nFOR" || output.String() != strings.ToUpper(body) {
		t.Errorf("got %q with %d bytes of output, %v", got, output.Len(), err)
	}
}

func TestAnErrorKeepsItsClassItsReasonAndItsText(t *testing.T) {
	t.Parallel()
	_, err := fails.Run(t.Context(), runner(t, nil), child.Call[string]{In: "too\nmany"})
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.ThrottledReason, "chart web: too many")
	if fault.AfterOf(err) != time.Minute {
		t.Errorf("want a minute, got %s", fault.AfterOf(err))
	}
}

// What a child is refused is refused by the kernel, which has that on Linux only.
func TestAChildIsConfined(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux confines children")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const refused = "operation not permitted"
	for name, tc := range map[string]struct {
		task     task
		in, want string
	}{
		"it opens no socket":          {dials, listener.Addr().String(), refused},
		"it resolves no name":         {resolves, "localhost.example", "[] true"},
		"it reads no file":            {opens, "/proc/self/environ", refused},
		"it starts no program":        {runs, "/bin/true", refused},
		"it signals no other process": {signals, "", refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := answerOf(t, tc.task, tc.in); !strings.Contains(got, tc.want) {
				t.Errorf("want %s, got %s", tc.want, got)
			}
		})
	}
}

//nolint:paralleltest // the environment is of the process
func TestAChildSeesNoEnvironment(t *testing.T) {
	t.Setenv("SECRET_OF_THE_MANAGER", secret)
	if got := answerOf(t, environment, ""); got != "" {
		t.Errorf("want an empty environment, got %q", got)
	}
}

func TestAChildThatNeedsTooMuchIsAStallAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	second := func(cfg *child.Config) { cfg.Processor = time.Second }
	for name, tc := range map[string]struct {
		task         task
		change       func(*child.Config)
		reason, want string
	}{
		"one large text": {reserves, nil, v1alpha1.LimitExceededReason, "more memory than the limit of 268435456 bytes"},
		"memory":         {hoards, nil, v1alpha1.LimitExceededReason, "more memory than the limit of 268435456 bytes"},
		"time":           {spins, second, v1alpha1.LimitExceededReason, "longer than the limit of 1s of a processor"},
		"output":         {floods, nil, v1alpha1.LimitExceededReason, "larger than the limit of 1048576 bytes"},
		"a stack":        {recurses, nil, v1alpha1.ChartInvalidReason, "it crashes the library"},
		"a panic":        {panics, nil, v1alpha1.ChartInvalidReason, "it crashes the library"},
		"a log":          {logs, nil, v1alpha1.ChartInvalidReason, "it crashes the library"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tc.task.Run(t.Context(), runner(t, tc.change), child.Call[string]{In: secret, Output: io.Discard})
			faulttest.Want(t, err, fault.ClassStall, tc.reason, tc.want)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q repeats a value", err)
			}
		})
	}
}

func TestAChildThatGetsNoProcessorIsTriedAgain(t *testing.T) {
	t.Parallel()
	second := func(cfg *child.Config) { cfg.Time = time.Second }
	_, err := waits.Run(t.Context(), runner(t, second), child.Call[string]{})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.LimitExceededReason, "it did not end within 1s, of which the machine gave it")
}

func TestAChildIsKilledWhenNobodyWantsItsResult(t *testing.T) {
	t.Parallel()
	errStop := errors.New("the manager ends")
	ctx, cancel := context.WithCancelCause(t.Context())
	started := make(chan struct{})
	go func() {
		<-started
		cancel(errStop)
	}()
	_, err := spins.Run(ctx, runner(t, nil), child.Call[string]{Body: &opening{opened: started}})
	if !errors.Is(err, errStop) || fault.ClassOf(err) != fault.ClassRetry {
		t.Errorf("want it to be tried again because %v, got %v", errStop, err)
	}
}

// opening is an empty body that tells when it is read: a child runs by then.
type opening struct{ opened chan struct{} }

func (o *opening) Read([]byte) (int, error) {
	close(o.opened)
	return 0, io.EOF
}

func TestErrorsOfBodyAndOutputAreReturnedAsTheyAre(t *testing.T) {
	t.Parallel()
	errDisk := fault.Retry(v1alpha1.StoreFailedReason, errors.New("disk"))
	_, err := upper.Run(t.Context(), runner(t, nil), child.Call[string]{Body: iotest.ErrReader(errDisk), Output: io.Discard})
	if !errors.Is(err, errDisk) {
		t.Errorf("want that of the body, got %v", err)
	}
	r, w := io.Pipe()
	r.CloseWithError(errDisk)
	_, err = upper.Run(t.Context(), runner(t, nil), child.Call[string]{Body: strings.NewReader("body"), Output: w})
	if !errors.Is(err, errDisk) {
		t.Errorf("want that of the output, got %v", err)
	}
}

func TestATaskThatTheProgramDoesNotHaveIsNoFaultOfWhatItIsGiven(t *testing.T) {
	t.Parallel()
	_, err := only("unknown", nil).Run(t.Context(), runner(t, nil), child.Call[string]{})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.InternalErrorReason, "no task of this name")
}

func TestLimitsHaveToBePositive(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*child.Config){
		func(cfg *child.Config) { cfg.Memory = 0 }, func(cfg *child.Config) { cfg.Time = 0 }, func(cfg *child.Config) { cfg.Processor = 0 },
		func(cfg *child.Config) { cfg.Output = 0 }, func(cfg *child.Config) { cfg.AtOnce = 0 },
	} {
		cfg := child.DefaultConfig()
		change(&cfg)
		if _, err := child.New(cfg); err == nil {
			t.Errorf("want an error for %+v", cfg)
		}
	}
}

// TestANamespaceHasOneChildAtATime starts a child for another namespace while one of the
// first is under way, and a second one of the first not before.
func TestANamespaceHasOneChildAtATime(t *testing.T) {
	t.Parallel()
	by := runner(t, nil)
	run := func(namespace string, body io.Reader) error {
		_, err := upper.Run(t.Context(), by, child.Call[string]{Namespace: namespace, Body: body, Output: io.Discard})
		return err
	}
	first, fill := io.Pipe()
	second := &opening{opened: make(chan struct{})}
	done := make(chan error, 2)
	go func() { done <- run("a", first) }()
	if _, err := io.WriteString(fill, "under way"); err != nil { // returns once it is read
		t.Fatal(err)
	}
	go func() { done <- run("a", second) }()
	if err := run("b", strings.NewReader("")); err != nil {
		t.Error(err)
	}
	select {
	case <-second.opened:
		t.Error("want the second one of the namespace to wait")
	default:
	}
	fill.Close()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
