package helm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Options configure how a chart is rendered.
type Options struct {
	// ReleaseName is .Release.Name in the templates.
	ReleaseName string

	// Namespace is .Release.Namespace in the templates.
	Namespace string

	// Values are put over the defaults of the chart; see Values.
	Values map[string]any

	// KubeVersion is the version of Kubernetes, such as v1.36 or v1.36.2. What is
	// below the minor version does not count.
	KubeVersion string

	// APIVersions are in .Capabilities.APIVersions, beside those of Kubernetes and of
	// the chart itself: groups and versions, as in "example.com/v1", and kinds of
	// them, as in "example.com/v1/Widget". Neither order nor repetition counts.
	APIVersions []string

	// IncludeCRDs has the files of the crds folders written.
	IncludeCRDs bool

	// Hooks is the policy for hooks. Empty applies them by their event.
	Hooks v1alpha1.HookPolicy

	// Random is what becomes of functions whose result differs from call to call. The
	// zero value refuses them.
	Random Random
}

// Limits bound what a chart may need. Every field must be positive; start from
// DefaultLimits.
type Limits struct {
	// ArchiveBytes bounds the archive as it is.
	ArchiveBytes int64

	// UnpackedBytes bounds the files of the archive and of the archives of
	// dependencies in it, together. More than 100 MiB is an error: it is Helm's
	// own limit. Helm bounds a single file to 5 MiB.
	UnpackedBytes int64

	// Files bounds the number of entries of the archive and of the archives in it,
	// together.
	Files int

	// OutputBytes bounds what is written.
	OutputBytes int64

	// LoopSteps bounds the length of the lists of until, untilStep and seq.
	LoopSteps int
}

// DefaultLimits returns the limits of charts: 100 MiB packed and unpacked, 10,000
// files, 64 MiB of output, and 100,000 steps of a loop.
func DefaultLimits() Limits {
	return Limits{
		ArchiveBytes: 100 << 20, UnpackedBytes: maxUnpackedBytes, Files: 10_000, OutputBytes: 64 << 20, LoopSteps: 100_000,
	}
}

// maxUnpackedBytes is the limit of Helm's loader for an archive, unpacked.
const maxUnpackedBytes = 100 << 20

// Render renders the chart and writes YAML documents to w: first those of the
// crds folders if they are wanted, then those of the templates in the order in
// which Helm installs kinds. Each follows a line with the name of its file.
// Nothing is written when an error is found before. The package comment describes
// when ctx is checked.
//
// The warnings are what should be looked at though Helm takes it: APIs that templates
// ask for in vain, and keys that stand more than once. They are the same for the same
// input, and hold no value.
//
// Errors are Stalls with the reasons ChartInvalid, LimitExceeded, and
// ConstraintInvalid for a KubeVersion that cannot be parsed; those of the reader
// and of the writer are returned as they are.
func Render(
	ctx context.Context, chart io.Reader, w io.Writer, opts Options, limits Limits,
) (warnings []string, err error) {
	if err := limits.validate(); err != nil {
		return nil, err
	}
	capabilities, err := capabilitiesOf(opts.KubeVersion)
	if err != nil {
		return nil, err
	}
	loaded, err := load(ctx, chart, limits)
	if err != nil {
		return nil, err
	}
	err = guard(func() error {
		r := rendering{chart: loaded, opts: opts, capabilities: capabilities, limits: limits}
		warnings, err = r.render(ctx, w)
		return err
	})
	return warnings, fault.Wrap("chart "+text.Line(loaded.Name(), maxText), err)
}

func (l Limits) validate() error {
	if min(l.ArchiveBytes, l.UnpackedBytes, l.OutputBytes, int64(l.Files), int64(l.LoopSteps)) <= 0 {
		return errors.New("chart: a limit is not positive")
	}
	if l.UnpackedBytes > maxUnpackedBytes {
		return fmt.Errorf("chart: the limit of %d bytes unpacked is more than Helm's own of %d", l.UnpackedBytes, maxUnpackedBytes)
	}
	return nil
}

// guard calls do and returns a panic of Helm's library as an error. The panic's
// text is not repeated: it may hold a value.
func guard(do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = invalid("helm's library panics")
		}
	}()
	return do()
}

// invalid returns an error about the chart.
func invalid(format string, args ...any) error {
	return fault.Stallf(v1alpha1.ChartInvalidReason, format, args...)
}

// tooLarge returns an error about a limit.
func tooLarge(format string, args ...any) error {
	return fault.Stallf(v1alpha1.LimitExceededReason, format, args...)
}

// stopped returns why ctx ended, or nil.
func stopped(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fault.Retry(v1alpha1.FetchFailedReason, fmt.Errorf("rendering was stopped: %w", context.Cause(ctx)))
}
