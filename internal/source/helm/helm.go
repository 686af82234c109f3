package helm

import (
	"encoding/json"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// maxText bounds in a message a text that comes from a chart, in bytes.
const maxText = 256

// maxNameText bounds in a message the name or the version of a chart, in bytes.
const maxNameText = 128

// maxNamed is how many of several things a message names.
const maxNamed = 5

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

// Random is what becomes of functions whose result differs from call to call, such as
// genCA, randAlphaNum and now.
type Random int

const (
	// RefuseRandom has them refused where a template calls them.
	RefuseRandom Random = iota

	// PlaceholderRandom has them give placeholders of the right form: the same input
	// gives the same bytes, which show what a chart consists of, and which no cluster
	// may get.
	PlaceholderRandom

	// TrueRandom has them give what they give in Helm: no rendering is like another.
	TrueRandom
)

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

// Document is a text with values and where it is from.
type Document struct {
	// Name of the document in messages, such as
	// "Secret web key values.yaml".
	Name string
	// YAML is the text, which may be several YAML documents.
	YAML []byte
}

// invalid returns an error about the chart.
func invalid(format string, args ...any) error {
	return fault.Stallf(v1alpha1.ChartInvalidReason, format, args...)
}

// tooLarge returns an error about a limit.
func tooLarge(format string, args ...any) error {
	return fault.Stallf(v1alpha1.LimitExceededReason, format, args...)
}

// ErrNotBuiltIn is the error of charts in a program that is built with the tag no_helm: a
// Stall with the reason SourceInvalid.
var ErrNotBuiltIn = fault.Stallf(v1alpha1.SourceInvalidReason,
	"this manager is built without Helm (build tag no_helm): render the chart and publish what comes out")
