package library

import (
	"fmt"
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// The bounds of the warnings of a release in the API.
const (
	maxWarnings      = 32
	maxWarningLength = 1024
)

// maxRefusals is how many findings the refusal of a release names.
const maxRefusals = 10

// CheckFindings returns why a Bundle with the given validation does not deliver the
// release: a fault.Stall with ManifestInvalidReason, or nil.
func (b *Bundle) CheckFindings(validation v1alpha1.Validation) error {
	if validation != v1alpha1.StrictValidation || len(b.Findings) == 0 {
		return nil
	}
	return fault.Stallf(v1alpha1.ManifestInvalidReason, "by the Bundle's validation Strict: %s",
		text.List(joinWarnings(b.Findings), maxRefusals, "; "))
}

// joinWarnings returns the warnings of several lists, sorted and unique. If there are
// too many, the last one says how many.
func joinWarnings(lists ...[]string) []string {
	warnings := slices.Concat(lists...)
	for i := range warnings {
		warnings[i] = text.Line(warnings[i], maxWarningLength)
	}
	slices.Sort(warnings)
	warnings = slices.Compact(warnings)
	if more := len(warnings) - (maxWarnings - 1); more > 1 {
		warnings = append(warnings[:maxWarnings-1], fmt.Sprintf("%d more warnings are not listed", more))
	}
	return warnings
}
