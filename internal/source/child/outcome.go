package child

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// outcome returns why a child did not do its work, or nil: ctx is that of the caller,
// and within has the time of the child. What went wrong first comes first: a child that
// is killed leaves all kinds of errors behind.
func (p *process) outcome(ctx, within context.Context, err error) error {
	switch {
	case p.output.failed != nil:
		return p.output.failed
	case p.body.failed != nil:
		return p.body.failed
	case ctx.Err() != nil:
		return stopped(ctx, p.task)
	case within.Err() != nil:
		return p.late()
	case errors.Is(err, errOutput):
		return p.exceeded("its output is larger than the limit of %d bytes", p.limits.Output)
	case err == nil:
		return nil
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return p.crashed(exit)
	}
	return internal(p.task, "it cannot be talked to", err)
}

// late returns the error of a child that was killed since its time was over. It did not
// have the processor for as long as it may, or the kernel would have killed it: the
// machine is busy, and less so the next time. Where no kernel does that, it is looked at.
func (p *process) late() error {
	if p.usedUp() {
		return p.tooLong()
	}
	return fault.Retry(v1alpha1.LimitExceededReason, fmt.Errorf(
		"%s: it did not end within %s, of which the machine gave it %s", p.task, p.limits.Time, p.used.Round(time.Millisecond)))
}

// usedUp reports whether a child had a processor for as long as it may. The kernel counts
// in ticks when it kills, and more exactly when it is asked.
func (p *process) usedUp() bool { return p.used >= p.limits.Processor*9/10 }

func (p *process) tooLong() error {
	return p.exceeded("it takes longer than the limit of %s of a processor", p.limits.Processor)
}

// crashed returns the error of a child that ended by itself, and not well. Its text is
// looked at and not repeated.
func (p *process) crashed(exit *exec.ExitError) error {
	crash := string(p.crash.kept)
	switch {
	case exit.ExitCode() == exitInternal:
		return internal(p.task, "it ended", errors.New(text.Line(crash, maxErrorText)))
	case exit.ExitCode() < 0 && p.usedUp():
		return p.tooLong()
	case exit.ExitCode() < 0, isOutOfMemory(crash):
		return p.exceeded("it needs more memory than the limit of %d bytes", p.limits.Memory)
	}
	return fault.Stallf(p.crashReason, "%s: it crashes the library, as what holds itself, or calls itself without end, does", p.task)
}

// isOutOfMemory reports whether a crash is one of the Go runtime, or of its race detector,
// which get no more memory: the runtime has many texts for it, and few other ends that are
// no panics. Without an exit code a child was killed by a signal, and not from here: by the
// kernel, which had no more.
func isOutOfMemory(crash string) bool {
	for line := range strings.Lines(crash) {
		if cause, ok := strings.CutPrefix(line, "fatal error: "); ok {
			return !strings.HasPrefix(cause, "stack overflow") && !strings.Contains(cause, "deadlock")
		}
	}
	return strings.Contains(crash, "ThreadSanitizer failed to allocate")
}

// stopped returns the error of a caller that does not want the result any more.
func stopped(ctx context.Context, task string) error {
	return fault.Retry(v1alpha1.FetchFailedReason, fmt.Errorf("%s: it was stopped: %w", task, context.Cause(ctx)))
}

// exceeded returns the error of a child that needs more than a limit.
func (p *process) exceeded(format string, limit any) error {
	return fault.Stallf(v1alpha1.LimitExceededReason, "%s: "+format, p.task, limit)
}
