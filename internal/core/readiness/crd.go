package readiness

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// CRDServed finds out whether discovery lists a CustomResourceDefinition as its
// spec defines it, in every version that it serves. The resources are those of
// its group, by version.
//
// That is enough to know that it is Established and that its names are accepted,
// without reading the CustomResourceDefinition itself, which may be a megabyte:
// kube-apiserver lists a resource only while Established is True, and what it
// lists are the names in status.acceptedNames and not those in the spec
// (DiscoveryController.sync in customresource_discovery_controller.go of
// k8s.io/apiextensions-apiserver/pkg/apiserver). A name that conflicts does not
// become an accepted one (NamingConditionController.calculateNamesAndConditions
// in naming_controller.go of pkg/controller/status), so plural, singular, kind
// and short names that equal the spec's are accepted ones.
//
// Two names stay unseen. Categories cannot conflict. The list kind is not in
// discovery; a conflict over it keeps a new CustomResourceDefinition from being
// Established, and of an established one leaves everything served as before.
// Nor does discovery show schemas: a change of one is served when the API server
// has seen it, moments after the write.
//
// A CustomResourceDefinition that is being deleted is listed without the verb
// create, and is not ready. CRDServed never finds one stalled: a name
// that differs may be a moment old. Conditions distinguishes the two.
//
// The reason is ReadyReason or CRDsNotServedReason.
func CRDServed(crd manifest.CRD, resources map[string][]metav1.APIResource) Finding {
	name := crdTitle(crd.Plural + "." + crd.Group)
	for _, version := range slices.Sorted(slices.Values(crd.Served)) {
		i := slices.IndexFunc(resources[version], func(r metav1.APIResource) bool { return r.Name == crd.Plural })
		if i < 0 {
			return notReady(v1alpha1.CRDsNotServedReason, fmt.Sprintf("%s: %s is not served yet", name, line(version)))
		}
		if difference := differs(crd, resources[version][i]); difference != "" {
			return notReady(v1alpha1.CRDsNotServedReason, fmt.Sprintf("%s: %s %s", name, line(version), difference))
		}
	}
	return ready(name + " is served")
}

// differs returns how the served resource differs from what the spec defines.
func differs(crd manifest.CRD, served metav1.APIResource) string {
	// The API server sets the same default before it looks for conflicts.
	singular := cmp.Or(crd.Singular, strings.ToLower(crd.Kind))
	switch {
	case served.Kind != crd.Kind:
		return mismatch("kind", served.Kind, crd.Kind)
	case served.SingularName != singular:
		return mismatch("singular name", served.SingularName, singular)
	case !slices.Equal(sorted(served.ShortNames), sorted(crd.ShortNames)):
		return mismatch("short names", strings.Join(sorted(served.ShortNames), ","),
			strings.Join(sorted(crd.ShortNames), ","))
	case served.Namespaced != crd.Namespaced:
		return mismatch("scope", scope(served.Namespaced), scope(crd.Namespaced))
	case len(served.Verbs) > 0 && !slices.Contains(served.Verbs, "create"):
		return "is being deleted"
	default:
		return ""
	}
}

func mismatch(what, served, wanted string) string {
	return line(fmt.Sprintf("is served with the %s %q, not %q", what, served, wanted))
}

func scope(namespaced bool) string {
	if namespaced {
		return "Namespaced"
	}
	return "Cluster"
}

func sorted(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

func crdTitle(name string) string { return title("CustomResourceDefinition", "", name) }

// Conditions finds out from the conditions of a live CustomResourceDefinition why
// it is not served. It is for one that CRDServed has not found ready for long. It
// is stalled if NamesAccepted is False, which lasts until somebody removes the
// other owner of the name.
//
// The reason is ReadyReason, CRDNamesConflictReason or CRDsNotServedReason.
func Conditions(crd *unstructured.Unstructured) Finding {
	name := crdTitle(crd.GetName())
	accepted, established := conditionOf(crd, "NamesAccepted"), conditionOf(crd, "Established")
	switch {
	case conditionOf(crd, "Terminating").Status == "True" || crd.GetDeletionTimestamp() != nil:
		return notReady(v1alpha1.CRDsNotServedReason, name+" is being deleted")
	case accepted.Status == "False":
		return stalled(v1alpha1.CRDNamesConflictReason, name+": "+explain(accepted, "its names are not accepted"))
	case established.Status == "True":
		return ready(name + " is established")
	case established.Status == "False":
		return notReady(v1alpha1.CRDsNotServedReason, name+": "+explain(established, "is not established yet"))
	default:
		return notReady(v1alpha1.CRDsNotServedReason, name+" is not established yet")
	}
}

// explain returns the reason and the message of a condition, or otherwise if it has neither.
func explain(c condition, otherwise string) string {
	explanation := strings.Trim(c.Reason+": "+c.Message, ": ")
	return line(cmp.Or(explanation, otherwise))
}
