package inventory

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

func named(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
