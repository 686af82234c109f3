package inventory

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FieldManager is the name under which we apply, by server-side apply.
const FieldManager = "caapb"

// Owner returns the other owner of a live object by its metadata: another
// ApplySet, a Helm release, or a Flux Kustomization or HelmRelease. It is empty if
// there is none, or if the owner is the parent with the given ID. The text is a
// noun phrase for messages.
func Owner(live metav1.Object, id string) string {
	labels, annotations := live.GetLabels(), live.GetAnnotations()
	if set := labels[PartOfLabel]; set != "" {
		if set == id {
			return ""
		}
		return "the ApplySet " + set
	}
	if release := annotations["meta.helm.sh/release-name"]; release != "" {
		return "the Helm release " + named(annotations["meta.helm.sh/release-namespace"], release)
	}
	if name := labels["kustomize.toolkit.fluxcd.io/name"]; name != "" {
		return "the Flux Kustomization " + named(labels["kustomize.toolkit.fluxcd.io/namespace"], name)
	}
	if name := labels["helm.toolkit.fluxcd.io/name"]; name != "" {
		return "the Flux HelmRelease " + named(labels["helm.toolkit.fluxcd.io/namespace"], name)
	}
	return ""
}

func named(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
