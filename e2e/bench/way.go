package main

import (
	"context"

	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// Named has the texts about a way.
type Named interface {
	// Name is short: it is in tables and in WAYS.
	Name() string
	// Describe says what runs, with its version.
	Describe() string
}

// Way is one way to bring releases to workload clusters.
type Way interface {
	Named

	// Prepare checks what the way needs and starts what it keeps running: once,
	// outside of timing. Its error says what to do.
	Prepare(ctx context.Context, s Setup) error
	// Attach makes a fresh workload cluster known to the way, outside of timing.
	// Nothing is applied yet.
	Attach(ctx context.Context, t *Target) (Session, error)
	// Close stops what Prepare started. It is called after a failed Prepare, too.
	Close()
}

// Setup is what a way is prepared with.
type Setup struct {
	// Dir is a folder of the way's own, which is removed at the end.
	Dir string
	// Releases are all that will be applied.
	Releases []*Release
	// Say prints a line about what is going on.
	Say func(format string, args ...any)
}

// Target is a fresh workload cluster.
type Target struct {
	// Name is a DNS label that no other target has.
	Name string
	// Workload is the cluster itself, for looking only.
	Workload *testenv.Workload
	// Through is what the way's client connects to, as the administrator: the cluster,
	// a proxy that counts, or a slow link. Config and Kubeconfig, a file, are the same
	// for clients of other kinds.
	Through    testenv.Connectable
	Config     *rest.Config
	Kubeconfig string
	// Quiet, in rounds that count requests only, returns once none has come for a while.
	Quiet func(context.Context) error

	// descriptions of CRDs that this provider leaves out.
	descriptions v1alpha1.CRDDescriptions
}

// Session is a way at work on one target. Its methods are called one after another.
type Session interface {
	// Ready does what has to be there before a step, outside of timing, and returns
	// what does the step. A way that does not do such a step returns a *Cannot.
	Ready(ctx context.Context, s Step) (Run, error)
	// Close ends the work on the target, before that is stopped: outside of timing.
	Close(ctx context.Context) error
}

// Run does a step: the clock starts when it is called, and it returns what the client's
// processes used, once the way has done the step by its own account and, for a way that
// is not a command, complete is closed: then all of the release is seen in the cluster.
type Run func(ctx context.Context, complete <-chan struct{}) (measure.Usage, error)

// Step is what a way is asked to do.
type Step struct {
	Kind StepKind
	// Release is to be in the cluster after the step.
	Release *Release
}

// StepKind is a kind of step. The same command may do for all of them.
type StepKind string

const (
	// Install brings a release to an empty cluster.
	Install StepKind = "install"
	// Again does the same with nothing changed. For a controller: it is started anew,
	// and has to find out that nothing is to be done.
	Again StepKind = "again"
	// Repair puts in order what somebody else has changed and deleted just before.
	Repair StepKind = "repair"
	// Upgrade brings another release of the same bundle.
	Upgrade StepKind = "upgrade"
)

// Cannot is the error of a way that does not do such a step, or cannot carry such a
// release. It is shown in the table, and is no failure of the run.
type Cannot struct {
	// Why is in the table in place of figures.
	Why string
}

// Error says why.
func (c *Cannot) Error() string { return c.Why }
