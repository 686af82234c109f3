package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// SHA256Annotation is on every member and holds the SHA-256 of the content that
// its owner applied.
const SHA256Annotation = "addons.cluster.x-k8s.io/sha256"

const (
	managerPrefix = FieldManager + "."

	// maxManager is how many bytes the API server takes as a field manager.
	maxManager = 128

	// shortHash is how many hex digits of a SHA-256 distinguish the sets of one
	// management cluster.
	shortHash = 16
)

// Set returns the namespace and name of the ClusterBundleSet, as in "team-a/cni".
func (p Parent) Set() string {
	// The name of a namespace holds no dot.
	return strings.Replace(p.set, ".", "/", 1)
}

// FieldManager returns the field manager under which the set applies: "caapb.",
// the namespace of the set, a dot and its name. Each set has its own, so that
// the API server keeps apart which set owns which field, and what one set drops
// is kept while another applies it. A name that is longer than the API server
// takes ends in a hash of itself.
func (p Parent) FieldManager() string {
	name := managerPrefix + p.set
	if len(name) <= maxManager {
		return name
	}
	// No set has a colon in its name, so no other field manager looks like this.
	suffix := ":" + hashOf(name)
	return name[:maxManager-len(suffix)] + suffix
}

// SharedAnnotation returns the key of the annotation that holds the SHA-256 of
// what the set applied to an object that another set owns. SHA256Annotation is
// the owner's.
func (p Parent) SharedAnnotation() string {
	return hashOf(p.Set()) + "." + SHA256Annotation
}

// Living are the sets that have a ClusterBundle for a Cluster: the namespace and
// name of each, as in "team-a/cni", by the ID of its Parent.
type Living map[string]string

// LivingOf returns the Living of these sets.
func LivingOf(sets ...types.NamespacedName) Living {
	living := make(Living, len(sets))
	for _, set := range sets {
		parent := ParentOf(set.Namespace, set.Name)
		living[parent.ID()] = parent.Set()
	}
	return living
}

// managers returns the field managers of the living sets without that of the set
// with the given ID.
func (l Living) managers(without string) map[string]bool {
	managers := make(map[string]bool, len(l))
	for id, set := range l {
		if id != without {
			managers[parentOfSet(set).FieldManager()] = true
		}
	}
	return managers
}

// Others returns the parents of the living sets but one, in order.
func (l Living) Others(than Parent) []Parent {
	var parents []Parent
	for _, set := range slices.Sorted(maps.Values(l)) {
		if parent := parentOfSet(set); parent != than {
			parents = append(parents, parent)
		}
	}
	return parents
}

// parentOfSet returns the Parent of a set by its namespace and name, as in "team-a/cni".
func parentOfSet(set string) Parent {
	namespace, name, _ := strings.Cut(set, "/")
	return ParentOf(namespace, name)
}

// isProvider reports whether a field manager is that of a set, living or not.
func isProvider(manager string) bool {
	return manager == FieldManager || strings.HasPrefix(manager, managerPrefix)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:shortHash]
}
