package edit

import (
	"fmt"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Check finds out whether what a release says about its objects is true of them: whoever
// turns a component off relies on it. It is made anew for each release.
type Check struct {
	// unmet are what no object was found for, by what a message calls it.
	unmet []unmet
}

type unmet struct {
	name  string
	meets func(ref manifest.Ref, namespace string) bool
}

// NewCheck returns the check of a release.
func NewCheck(release Definitions) *Check {
	c := &Check{}
	for _, component := range release.Components {
		for _, s := range component.Objects {
			c.unmet = append(c.unmet, unmet{
				fmt.Sprintf("component %s: no object is %s", component.Name, describe(s)),
				func(ref manifest.Ref, namespace string) bool { return selects(s, ref, namespace) },
			})
		}
	}
	for _, at := range release.Images {
		c.unmet = append(c.unmet, unmet{
			fmt.Sprintf("images: no object is %s %s", at.APIVersion, at.Kind),
			func(ref manifest.Ref, _ string) bool { return isOf(at, ref) },
		})
	}
	return c
}

// See shows the check an object, with the namespace of objects that name none.
func (c *Check) See(ref manifest.Ref, namespace string) {
	left := c.unmet[:0]
	for _, u := range c.unmet {
		if !u.meets(ref, namespace) {
			left = append(left, u)
		}
	}
	c.unmet = left
}

// Err returns what no object was found for: an error with the reason EditInvalid, or nil.
func (c *Check) Err() error {
	if len(c.unmet) == 0 {
		return nil
	}
	names := make([]string, len(c.unmet))
	for i, u := range c.unmet {
		names[i] = u.name
	}
	return fault.Stallf(v1alpha1.EditInvalidReason, "%s", text.List(names, maxNamed, "; "))
}

// describe returns a selector for people to read.
func describe(s v1alpha1.ComponentObjects) string {
	words := []string{s.APIVersion, s.Kind, s.Name}
	if s.Namespace != "" {
		words = append(words, "in "+s.Namespace)
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}
