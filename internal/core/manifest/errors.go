package manifest

import (
	"fmt"
	"strconv"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// maxQuoted is the number of characters of foreign text that a message repeats.
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

// quote returns foreign text for a message: quoted and short.
func quote(s string) string { return strconv.Quote(shorten(s)) }

// shorten returns the first characters of foreign text.
func shorten(s string) string {
	n := 0
	for i := range s {
		if n == maxQuoted {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
