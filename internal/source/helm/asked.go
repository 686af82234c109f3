//go:build !no_helm

package helm

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// seenCapabilities is .Capabilities of the templates: Helm's own, but for API versions
// that take down what was asked for.
type seenCapabilities struct {
	*common.Capabilities

	// APIVersions are in place of those of Helm.
	APIVersions seenVersions
}

// seenVersions is .Capabilities.APIVersions: a list of texts with Has, as Helm's
// common.VersionSet is. Templates copy it around and hold it in variables, so what
// takes down the questions is with the list itself: one element behind its end.
type seenVersions []any

// newSeenVersions returns versions whose Has tells asked.
func newSeenVersions(versions common.VersionSet, asked *questions) seenVersions {
	all := make(seenVersions, 0, len(versions)+1)
	for _, version := range versions {
		all = append(all, version)
	}
	return append(all, asked)[:len(versions)]
}

// Has reports whether a version, or a kind of it, is in the list.
func (s seenVersions) Has(apiVersion string) bool {
	if slices.Contains(s, any(apiVersion)) {
		return true
	}
	for _, behind := range s[len(s):cap(s)] {
		if asked, ok := behind.(*questions); ok {
			asked.inVain(apiVersion)
		}
	}
	return false
}

// maxQuestions bounds how many API versions are remembered.
const maxQuestions = 100

// maxAPIVersion bounds an API version: the group, the version and the kind.
const maxAPIVersion = 253 + 1 + 63 + 1 + 63

// questions are the API versions that templates asked for in vain.
type questions struct {
	// served are those that they are told of.
	served common.VersionSet
	asked  map[string]bool
}

// apiVersionPattern finds what can be the version of a group, or a kind of it. What a
// template asks for may be put together from values: nothing else is repeated.
var apiVersionPattern = regexp.MustCompile(`^([a-z0-9][a-z0-9.-]*)/v\d+(?:(?:alpha|beta)\d+)?(?:/([A-Z][A-Za-z0-9]*))?$`)

// inVain takes down what is not served, unless it is a group of Kubernetes itself or
// the same is served in another version: charts try one after the other.
func (q *questions) inVain(apiVersion string) {
	found := apiVersionPattern.FindStringSubmatch(apiVersion)
	if found == nil || len(apiVersion) > maxAPIVersion || len(q.asked) == maxQuestions {
		return
	}
	group, kind := found[1], found[2]
	isServed := func(served string) bool {
		return strings.HasPrefix(served, group+"/") && (kind == "" || strings.HasSuffix(served, "/"+kind))
	}
	if !isOfKubernetes(group) && !slices.ContainsFunc(q.served, isServed) {
		q.asked[apiVersion] = true
	}
}

// isOfKubernetes reports whether a group comes with Kubernetes, whatever its versions.
func isOfKubernetes(group string) bool {
	return !strings.Contains(group, ".") || group == "apiregistration.k8s.io" || scheme.Scheme.IsGroupRegistered(group)
}

// warnings name what was asked for in vain, and the way out.
func (q *questions) warnings() []string {
	if len(q.asked) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("its templates ask in vain for APIs that clusters may have (add them to apiVersions, "+
		"or deliver their CRDs in this or an earlier phase): %s",
		text.List(slices.Sorted(maps.Keys(q.asked)), maxListed, ", "))}
}

// maxListed is how many API versions a warning lists.
const maxListed = 10
