package manifest

import (
	"fmt"
	"strconv"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxQuoted is how many bytes of a text from a source a message repeats.
const maxQuoted = 80

// invalid returns the error for content at a place that is not a Kubernetes
// object as this package wants it.
func invalid(place Place, format string, args ...any) error {
	return fault.Stallf(v1alpha1.ManifestInvalidReason, "%s: %s", place, fmt.Sprintf(format, args...))
}

// exceeded returns the error for content at a place that crosses a limit.
func exceeded(place Place, format string, args ...any) error {
	return fault.Stallf(v1alpha1.LimitExceededReason, "%s: %s", place, fmt.Sprintf(format, args...))
}

// quote returns a text from a source for a message. It is escaped before it is
// cut, so that a control character, which may be what is wrong, can be seen.
func quote(s string) string { return text.Line(strconv.Quote(s), maxQuoted) }
