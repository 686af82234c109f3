package plan

import (
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// namespaces returns the Namespaces that others of the phases give way to, if there are
// such others.
func (b *builder) namespaces(phases []Input) map[identity]Object {
	if !slices.ContainsFunc(phases, givesWay) {
		return nil
	}
	found := make(map[identity]Object)
	for _, phase := range phases {
		for _, o := range sorted(phase) {
			isNamespace := manifest.Ref{Kind: "Namespace"}.GroupKind() == o.GroupKind()
			if !isNamespace || o.GivesWay || !b.decideMoment(&o) {
				continue
			}
			b.resolve(&o)
			if id := identityOf(o); found[id].Name == "" {
				found[id] = o
			}
		}
	}
	return found
}

// givesWay reports whether a source of the phase gives way to others.
func givesWay(phase Input) bool {
	return slices.ContainsFunc(phase.Blobs, func(blob Blob) bool { return blob.GivesWay })
}
