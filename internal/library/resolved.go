package library

import (
	"cmp"
	"iter"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// resolved is a release with the parts of its sources.
type resolved struct {
	phases []resolvedPhase
	// definitions are what the release says about how it can be edited, defined is their
	// identity; empty for none.
	definitions edit.Definitions
	defined     string
	// edit is what is changed in the release.
	edit edit.Edit
	// problem is why a source could not be resolved again. The parts are then
	// those that it had before.
	problem error
}

type resolvedPhase struct {
	name string
	// namespace of namespaced objects that name none; empty for "default".
	namespace string
	parts     []source.Part
}

// namespaceOf returns the namespace of the objects of a part that name none; empty
// for "default".
func (p resolvedPhase) namespaceOf(part source.Part) string {
	return cmp.Or(part.Namespace, p.namespace)
}

// all iterates over the parts of a release in order.
func (r resolved) all() iter.Seq[source.Part] {
	return func(yield func(source.Part) bool) {
		for _, phase := range r.phases {
			for _, part := range phase.parts {
				if !yield(part) {
					return
				}
			}
		}
	}
}

// byID returns the parts of a release by their identity.
func (r resolved) byID() map[string]source.Part {
	parts := make(map[string]source.Part)
	for part := range r.all() {
		parts[part.ID()] = part
	}
	return parts
}

// signers returns who signed the parts that had to be signed, sorted.
func (r resolved) signers() []string {
	var signers []string
	for part := range r.all() {
		if part.VerifiedBy != "" {
			signers = append(signers, part.VerifiedBy)
		}
	}
	slices.Sort(signers)
	return slices.Compact(signers)
}

// artifacts returns what the sources stand for, each once for a phase, in order.
func (r resolved) artifacts() []v1alpha1.ArtifactStatus {
	var artifacts []v1alpha1.ArtifactStatus
	for _, phase := range r.phases {
		for _, part := range phase.parts {
			at := v1alpha1.ArtifactStatus{
				Phase: phase.name, Reference: part.Artifact.Reference,
				Tag: part.Artifact.Tag, Digest: v1alpha1.Digest(part.Artifact.Digest),
			}
			if at.Digest != "" && !slices.Contains(artifacts, at) {
				artifacts = append(artifacts, at)
			}
		}
	}
	return artifacts
}

// warnings returns what was found when the sources were resolved.
func (r resolved) warnings() []string {
	var warnings []string
	for part := range r.all() {
		for _, warning := range part.Warnings {
			warnings = append(warnings, part.Name+": "+warning)
		}
	}
	return warnings
}

// digest returns the digest of a release: that of its content, and the same for all
// Clusters.
func (r resolved) digest() v1alpha1.Digest { return r.digestBy(identityOf) }

// content returns the digest of the bytes of a release, which may be those of one Cluster.
func (r resolved) content() v1alpha1.Digest { return r.digestBy(contentOf) }

// planKey identifies the plan of a release: by its content and what is changed in it, and
// by the names of its parts, which messages about it have.
func (r resolved) planKey() digest.Digest {
	key := []byte(r.content() + "\n" + v1alpha1.Digest(r.edit.PlanKey()))
	for part := range r.all() {
		key = append(append(key, '\n'), part.Name...)
	}
	return digest.FromBytes(key)
}

func (r resolved) digestBy(identity func(source.Part) string) v1alpha1.Digest {
	phases := make([]release.Phase, len(r.phases))
	for i, phase := range r.phases {
		phases[i].Name = phase.name
		for _, part := range phase.parts {
			phases[i].Sources = append(phases[i].Sources,
				release.Source{Identity: identity(part), Namespace: phase.namespaceOf(part)})
		}
	}
	return release.Digest(phases, r.defined)
}

// identityOf returns the identity of a part in the digest of a release: what gives way
// is other content than the same bytes that do not.
func identityOf(part source.Part) string {
	if part.Identity != "" {
		return part.Identity
	}
	return contentOf(part)
}

// contentOf returns the identity of the bytes of a part, which may be those of one
// Cluster.
func contentOf(part source.Part) string {
	if part.GivesWay {
		return part.ID() + "+gives-way"
	}
	return part.ID()
}

// variesByCluster reports whether a part of the release is another for each Cluster.
func (r resolved) variesByCluster() bool {
	for part := range r.all() {
		if part.ForCluster != nil {
			return true
		}
	}
	return false
}
