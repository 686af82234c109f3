package inventory

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Claim is who owns a live object, as one set sees it.
type Claim string

const (
	// Absent is that there is no object.
	Absent Claim = ""

	// Free is that nobody owns the object. Plain clients that keep no inventory,
	// such as kubectl or a ClusterResourceSet, may have written it.
	Free Claim = "Free"

	// Ours is that the set owns the object, even if another tool applied it before.
	Ours Claim = "Ours"

	// Abandoned is that the owner is a set without a ClusterBundle for this
	// Cluster: it was renamed or deleted, or the Cluster left it.
	Abandoned Claim = "Abandoned"

	// OtherSet is that the owner is another living set.
	OtherSet Claim = "OtherSet"

	// Foreign is that the owner is a Helm release, a Flux object or the ApplySet of
	// another tool.
	Foreign Claim = "Foreign"
)

// View is a live object as one set sees it. The zero value is that of an object
// that does not exist.
type View struct {
	// Claim is who owns the object.
	Claim Claim

	// Owner is the owner as a noun phrase for messages, as in "ClusterBundleSet
	// team-a/cni". It is empty if the object is Absent, Free or Ours.
	Owner string

	// SHA256 is that of the content that the set applied to the object, as its
	// owner or beside it; empty if it applied none.
	SHA256 string

	// OwnerSHA256 is that of the content that another living set applied as the
	// owner; empty if the Claim is not OtherSet.
	OwnerSHA256 string

	// Terminating is that the object is being deleted.
	Terminating bool
}

// ViewOf returns a live object as the set us sees it, from the object's metadata
// alone.
func ViewOf(live metav1.Object, us Parent, living Living) View {
	found := ownerOf(live, us, living)
	view := View{
		Claim:       found.claim,
		Owner:       found.name,
		Terminating: live.GetDeletionTimestamp() != nil,
	}
	annotations := live.GetAnnotations()
	switch found.claim {
	case Ours:
		view.SHA256 = annotations[SHA256Annotation]
	case OtherSet:
		view.SHA256 = annotations[us.SharedAnnotation()]
		view.OwnerSHA256 = annotations[SHA256Annotation]
	default:
	}
	return view
}

// owner is who owns a live object.
type owner struct {
	claim Claim
	name  string
	// mark is the label or annotation by which the owner is known.
	mark fieldpath.Path
}

// ownerOf returns the owner of a live object. Our label decides before the marks
// of other tools: they stay on what was taken over from those.
func ownerOf(live metav1.Object, us Parent, living Living) owner {
	id := live.GetLabels()[PartOfLabel]
	if id == "" {
		return foreignOwnerOf(live)
	}
	mark := labelPath(PartOfLabel)
	if id == us.ID() {
		return owner{claim: Ours, mark: mark}
	}
	if set, ok := living[id]; ok {
		return owner{claim: OtherSet, name: nameOfSet(set), mark: mark}
	}
	if hasProviderWritten(live, mark) {
		return owner{claim: Abandoned, name: nameOfGone(live, id), mark: mark}
	}
	return owner{claim: Foreign, name: "the ApplySet " + id, mark: mark}
}

// foreignOwnerOf returns the owner of a live object that is in no ApplySet.
func foreignOwnerOf(live metav1.Object) owner {
	labels, annotations := live.GetLabels(), live.GetAnnotations()
	if release := annotations[helmRelease]; release != "" {
		name := "the Helm release " + named(annotations[helmNamespace], release)
		return owner{Foreign, name, annotationPath(helmRelease)}
	}
	if name := labels[fluxKustomization]; name != "" {
		name = "the Flux Kustomization " + named(labels[fluxKustomizationNamespace], name)
		return owner{Foreign, name, labelPath(fluxKustomization)}
	}
	if name := labels[fluxRelease]; name != "" {
		name = "the Flux HelmRelease " + named(labels[fluxReleaseNamespace], name)
		return owner{Foreign, name, labelPath(fluxRelease)}
	}
	return owner{claim: Free}
}

// hasProviderWritten reports whether a field manager of ours owns the field. That
// one of them owns any field is not enough: another tool may have taken the
// object over from us.
func hasProviderWritten(live metav1.Object, field fieldpath.Path) bool {
	for _, entry := range live.GetManagedFields() {
		if isProvider(entry.Manager) && owns(entry, field) {
			return true
		}
	}
	return false
}

// nameOfGone returns the name of the set with the given ID by the field managers
// of a live object: an ID is a hash.
func nameOfGone(live metav1.Object, id string) string {
	for _, entry := range live.GetManagedFields() {
		set, ok := strings.CutPrefix(entry.Manager, managerPrefix)
		if gone := (Parent{set: set}); ok && gone.ID() == id {
			return nameOfSet(gone.Set())
		}
	}
	return "a ClusterBundleSet that this Cluster no longer has"
}

func nameOfSet(set string) string { return "ClusterBundleSet " + set }

func labelPath(key string) fieldpath.Path {
	return fieldpath.MakePathOrDie("metadata", "labels", key)
}

func annotationPath(key string) fieldpath.Path {
	return fieldpath.MakePathOrDie("metadata", "annotations", key)
}
