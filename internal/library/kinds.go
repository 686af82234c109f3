package library

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// maxKinds is of how many parts the kinds are kept in memory.
const maxKinds = 1024

// kinds knows which kinds the CustomResourceDefinitions of parts define.
type kinds struct {
	parts *indexing
	// known are the kinds by Part.ID. They follow from the bytes, so they are never
	// wrong, whatever becomes of the cache directory.
	known *lru.Cache
}

func newKinds(parts *indexing) *kinds { return &kinds{parts: parts, known: lru.New(maxKinds)} }

// of returns the groups, versions and kinds that parts define, or starts what it
// takes to know them.
func (k *kinds) of(owner types.NamespacedName, parts []source.Part) ([]string, error) {
	var all []string
	var errs []error
	for _, part := range parts {
		found, err := k.ofOne(owner, part)
		all, errs = append(all, found...), append(errs, err)
	}
	return all, fault.Join(errs...)
}

func (k *kinds) ofOne(owner types.NamespacedName, part source.Part) ([]string, error) {
	if known, ok := k.known.Get(part.ID()); ok {
		return known.([]string), nil
	}
	index, err := k.parts.index(owner, part)
	if err != nil {
		return nil, err
	}
	defined := definedBy(index.Index)
	k.known.Add(part.ID(), defined)
	return defined, nil
}

// definedBy returns what a Kubernetes API server serves beside its own kinds once the
// objects of an index are applied, as in "example.com/v1" and "example.com/v1/Widget".
func definedBy(index manifest.Index) []string {
	var defined []string
	for _, entry := range index.Entries {
		if entry.CRD == nil {
			continue
		}
		for _, version := range entry.CRD.Served {
			groupVersion := entry.CRD.Group + "/" + version
			defined = append(defined, groupVersion, groupVersion+"/"+entry.CRD.Kind)
		}
	}
	slices.Sort(defined)
	return slices.Compact(defined)
}
