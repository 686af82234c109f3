package inventory

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FieldManager is the field manager of the parent, and of the patches that move
// managed fields. It was once that of all members: now each set has its own, which
// begins with it (Parent.FieldManager).
const FieldManager = "caapb"

// Marks of the tools that keep an inventory of their own.
const (
	helmRelease   = "meta.helm.sh/release-name"
	helmNamespace = "meta.helm.sh/release-namespace"

	fluxKustomization          = "kustomize.toolkit.fluxcd.io/name"
	fluxKustomizationNamespace = "kustomize.toolkit.fluxcd.io/namespace"

	fluxRelease          = "helm.toolkit.fluxcd.io/name"
	fluxReleaseNamespace = "helm.toolkit.fluxcd.io/namespace"
)

// Owner returns the other owner of a live object by its metadata: another
// ApplySet, a Helm release, or a Flux Kustomization or HelmRelease. It is empty if
// there is none, or if the owner is the parent with the given ID. The text is a
// noun phrase for messages.
func Owner(live metav1.Object, id string) string {
	if set := live.GetLabels()[PartOfLabel]; set != "" {
		if set == id {
			return ""
		}
		return "the ApplySet " + set
	}
	return foreignOwnerOf(live).name
}

func named(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
