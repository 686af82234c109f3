package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// domain is the first line of what Digest hashes. It keeps the digest of a
// release apart from that of any file. Another form needs another domain.
const domain = "addons.cluster.x-k8s.io/release/v1\n"

// Phase is the content of a phase: its name and the parts of its sources, in order.
type Phase struct {
	Name    string
	Sources []Source
}

// Source is the content of one part of a source.
type Source struct {
	// Identity of the part. That of plain bytes is their digest.
	Identity string
	// Namespace of namespaced objects that name none; empty for "default".
	Namespace string
}

// Digest returns the identity of the content of a release: the same bytes in the
// same phases, wherever they come from. It is the sha256 of
//
//	addons.cluster.x-k8s.io/release/v1
//	phase <length of the name> <name> <number of sources>
//	source <identity>[ <namespace>]
//
// with a line for each phase, and below it one for each of its sources, in the
// order of the spec and each ended by a line feed. Lengths and numbers are
// decimal, and make the form unambiguous for any name; an identity holds no space.
// If the release says how it can be edited, which decides about its objects, too, the last
// line is "definitions" and defined, the identity of that.
//
// The version, the constraint, timeouts and readyWhen are not content: they
// change what is chosen and what is waited for, not what is applied.
func Digest(phases []Phase, defined string) v1alpha1.Digest {
	form := []byte(domain)
	for _, p := range phases {
		form = fmt.Appendf(form, "phase %d %s %d\n", len(p.Name), p.Name, len(p.Sources))
		for _, source := range p.Sources {
			form = append(form, strings.TrimRight("source "+source.Identity+" "+source.Namespace, " ")+"\n"...)
		}
	}
	if defined != "" {
		form = append(form, "definitions "+defined+"\n"...)
	}
	return digestOf(form)
}

// SourceDigest returns the digest of the bytes of a source: the one that the
// spec names, or the sha256 of the text for an inline source. It is empty for a
// source that names none, which the API does not accept.
func SourceDigest(s v1alpha1.Source) v1alpha1.Digest {
	switch {
	case s.HTTPS != nil:
		return s.HTTPS.Digest
	case s.File != nil:
		return s.File.Digest
	case s.Inline != nil:
		return digestOf([]byte(s.Inline.Manifests))
	default:
		return ""
	}
}

func digestOf(content []byte) v1alpha1.Digest {
	sum := sha256.Sum256(content)
	return v1alpha1.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// NeedsKubernetes reports whether the content of a release depends on the
// Kubernetes version of the workload cluster: that of a Helm chart does.
func NeedsKubernetes(r v1alpha1.Release) bool {
	for _, p := range r.Phases {
		for _, s := range p.Sources {
			if s.Helm != nil {
				return true
			}
		}
	}
	return false
}

// AnyNeedsKubernetes reports whether the choice among the releases, or the content of
// one, depends on the Kubernetes version of the workload cluster.
func AnyNeedsKubernetes(releases []v1alpha1.Release) bool {
	return slices.ContainsFunc(releases, func(r v1alpha1.Release) bool {
		return strings.TrimSpace(r.Kubernetes) != "" || NeedsKubernetes(r)
	})
}
