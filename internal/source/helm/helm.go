package helm

import (
	"encoding/json"
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

	// Values are put over the defaults of the chart: a mapping as Values returns it, or
	// nothing.
	Values json.RawMessage

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

	// Ratio bounds how many bytes come out of an archive for each of its own. It counts
	// once 1 MiB has come out.
	Ratio int64

	// Files bounds the number of entries of the archive and of the archives in it,
	// together.
	Files int

	// OutputBytes bounds what is written.
	OutputBytes int64
}

// DefaultLimits returns the limits of charts: 100 MiB packed and unpacked, a compression
// ratio of 200, 10,000 files, and 64 MiB of output.
func DefaultLimits() Limits {
	return Limits{ArchiveBytes: 100 << 20, UnpackedBytes: maxUnpackedBytes, Ratio: 200, Files: 10_000, OutputBytes: 64 << 20}
}

// maxUnpackedBytes is the limit of Helm's loader for an archive, unpacked.
const maxUnpackedBytes = 100 << 20

// Render renders the chart and writes YAML documents to w: first those of the
// crds folders if they are wanted, then those of the templates in the order in
// which Helm installs kinds. Each follows a line with the name of its file.
// Nothing is written when an error is found before.
//
// Nothing bounds the memory and the time that it needs, and a chart can make it panic or
// its stack overflow: the charts of strangers are rendered with RenderTask.
//
// The warnings are what should be looked at though Helm takes it: APIs that templates
// ask for in vain, and keys that stand more than once. They are the same for the same
// input, and hold no value.
//
// Errors are Stalls with the reasons ChartInvalid, LimitExceeded, and
// ConstraintInvalid for a KubeVersion that cannot be parsed; those of the reader
// and of the writer are returned as they are.
func Render(chart io.Reader, w io.Writer, opts Options, limits Limits) (warnings []string, err error) {
	if err := limits.validate(); err != nil {
		return nil, err
	}
	capabilities, err := capabilitiesOf(opts.KubeVersion)
	if err != nil {
		return nil, err
	}
	loaded, err := load(chart, limits)
	if err != nil {
		return nil, err
	}
	r := rendering{chart: loaded, opts: opts, capabilities: capabilities, limits: limits}
	warnings, err = r.render(w)
	return warnings, fault.Wrap("chart "+text.Line(loaded.Name(), maxText), err)
}

func (l Limits) validate() error {
	if min(l.ArchiveBytes, l.UnpackedBytes, l.Ratio, l.OutputBytes, int64(l.Files)) <= 0 {
		return errors.New("chart: a limit is not positive")
	}
	if l.UnpackedBytes > maxUnpackedBytes {
		return fmt.Errorf("chart: the limit of %d bytes unpacked is more than Helm's own of %d", l.UnpackedBytes, maxUnpackedBytes)
	}
	return nil
}

// invalid returns an error about the chart.
func invalid(format string, args ...any) error {
	return fault.Stallf(v1alpha1.ChartInvalidReason, format, args...)
}

// tooLarge returns an error about a limit.
func tooLarge(format string, args ...any) error {
	return fault.Stallf(v1alpha1.LimitExceededReason, format, args...)
}
