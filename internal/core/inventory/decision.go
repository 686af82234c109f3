package inventory

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Decision defines what a set does with one object of its release.
type Decision string

const (
	// Apply is to apply the object as its owner, with PartOfLabel and
	// SHA256Annotation.
	Apply Decision = "Apply"

	// Keep is to send nothing: what the set applied is what it would apply.
	Keep Decision = "Keep"

	// Share is to apply the object beside the set that owns it: with
	// Parent.SharedAnnotation and without PartOfLabel and SHA256Annotation, which
	// stay the owner's.
	Share Decision = "Share"

	// TakeOver is to apply the object as its new owner. The fields of those who
	// wrote it before are moved first (see TakeOverFields): what they applied and
	// the set does not would never be removed, and a list item with another key would
	// be a second one.
	TakeOver Decision = "TakeOver"

	// Collide is to leave the object to its owner and to report a collision.
	Collide Decision = "Collide"

	// WaitGone is to wait until the object, which is being deleted, is gone.
	WaitGone Decision = "WaitGone"
)

// Decide returns what a set does with an object of the given kind, whose content
// has the SHA-256 sha, where the live object is as in v.
func Decide(v View, kind schema.GroupKind, sha string, adoption v1alpha1.Adoption) Decision {
	// What is applied to a terminating object goes with it.
	if v.Terminating {
		return WaitGone
	}
	switch v.Claim {
	case Ours:
		return unlessEqual(v, sha, Apply)
	case OtherSet:
		return besideOther(v, kind, sha, adoption)
	case Foreign:
		return ifAlways(adoption)
	case Free, Abandoned:
		// Nobody else will ever update or remove it.
		return TakeOver
	case Absent:
	}
	return Apply
}

// besideOther decides about an object of another living set. It is shared, where
// it can be, even if it may be taken over: sets that share do not fight.
func besideOther(v View, kind schema.GroupKind, sha string, adoption v1alpha1.Adoption) Decision {
	if !shareable(v, kind, sha) {
		return ifAlways(adoption)
	}
	return unlessEqual(v, sha, Share)
}

// shareable reports whether two sets may bring the object. A Namespace is where
// the objects of several sets live, and most bundles bring theirs. Of other kinds
// only equal content is right for both; once the owner's differs, one of the two
// releases is not what runs, even if the set applied its own before.
func shareable(v View, kind schema.GroupKind, sha string) bool {
	return kind == NamespaceKind || equal(v.OwnerSHA256, sha)
}

func unlessEqual(v View, sha string, otherwise Decision) Decision {
	if equal(v.SHA256, sha) {
		return Keep
	}
	return otherwise
}

func ifAlways(adoption v1alpha1.Adoption) Decision {
	if adoption == v1alpha1.AlwaysAdoption {
		return TakeOver
	}
	return Collide
}

// equal reports whether two sums are known and the same.
func equal(known, sha string) bool { return known != "" && known == sha }
