package manifest

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
)

func TestBuiltIn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenGroup, givenVersion, givenKind string
		want                                Resource
		wantFound                           bool
	}{
		"a core kind": {
			"", "v1", "ServiceAccount",
			Resource{Version: "v1", Plural: "serviceaccounts", Namespaced: true}, true,
		},
		"a kind with an unusual plural": {
			"networking.k8s.io", "v1", "NetworkPolicy",
			Resource{Group: "networking.k8s.io", Version: "v1", Plural: "networkpolicies", Namespaced: true}, true,
		},
		"a kind of the cluster": {
			"rbac.authorization.k8s.io", "v1", "ClusterRole",
			Resource{Group: "rbac.authorization.k8s.io", Version: "v1", Plural: "clusterroles"}, true,
		},
		"the second version of a group": {
			"autoscaling", "v2", "HorizontalPodAutoscaler",
			Resource{Group: "autoscaling", Version: "v2", Plural: "horizontalpodautoscalers", Namespaced: true}, true,
		},
		"a version that is not generally available": {"apps", "v1beta1", "Deployment", Resource{}, false},
		"no version":                       {"apps", "", "Deployment", Resource{}, false},
		"a kind of another group":          {"", "v1", "Deployment", Resource{}, false},
		"a kind that nobody knows":         {"operator.tigera.io", "v1", "Installation", Resource{}, false},
		"a part of the text of versions":   {"autoscaling", "v1 v2", "Deployment", Resource{}, false},
		"a kind that is written otherwise": {"", "v1", "configmap", Resource{}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, found := BuiltIn(test.givenGroup, test.givenVersion, test.givenKind)
			if found != test.wantFound {
				t.Errorf("found = %t, want %t", found, test.wantFound)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("resource (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIsBuiltInDoesNotLookAtVersions(t *testing.T) {
	t.Parallel()
	if !IsBuiltIn("admissionregistration.k8s.io", "MutatingAdmissionPolicy") {
		t.Error("MutatingAdmissionPolicy is not built in")
	}
	if IsBuiltIn("operator.tigera.io", "Installation") {
		t.Error("Installation is built in")
	}
}

// unstored are the kinds that have no objects that one could apply.
var unstored = []string{
	"Binding", "ComponentStatus", "Eviction", "PodStatusResult", "RangeAllocation", "Scale",
	"LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectReview", "SelfSubjectRulesReview",
	"SubjectAccessReview", "TokenRequest", "TokenReview",
}

// TestBuiltInsAreThoseOfTheClient compares the table with the kinds, plurals and
// scopes of the typed clients of client-go.
func TestBuiltInsAreThoseOfTheClient(t *testing.T) {
	t.Parallel()
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if !isStored(t, gvk) {
			continue
		}
		got, ok := BuiltIn(gvk.Group, gvk.Version, gvk.Kind)
		if !ok {
			t.Errorf("%s is missing in the table", gvk)
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		if gvk.Kind != "Endpoints" && got.Plural != plural.Resource {
			t.Errorf("plural of %s = %s, want %s", gvk, got.Plural, plural.Resource)
		}
		want, ok := clientScope(gvk, got.Plural)
		if !ok {
			t.Errorf("the client has no resource %s of %s", got.Plural, gvk)
		}
		if got.Namespaced != want {
			t.Errorf("namespaced of %s = %t, want %t", gvk, got.Namespaced, want)
		}
	}
}

// isStored says whether a kind of the scheme is generally available and has
// objects with metadata.
func isStored(t *testing.T, gvk schema.GroupVersionKind) bool {
	t.Helper()
	if strings.ContainsAny(gvk.Version[1:], "ab_") || strings.HasSuffix(gvk.Kind, "List") {
		return false
	}
	if slices.Contains(unstored, gvk.Kind) {
		return false
	}
	object, err := scheme.Scheme.New(gvk)
	if err != nil {
		t.Fatal(err)
	}
	_, ok := object.(metav1.Object)
	return ok && gvk.Version != runtime.APIVersionInternal
}

// clientScope reads from the signature of the typed client whether a resource
// is namespaced.
func clientScope(gvk schema.GroupVersionKind, plural string) (namespaced, ok bool) {
	clients := reflect.TypeFor[kubernetes.Interface]()
	group, _, _ := strings.Cut(gvk.Group, ".")
	if gvk.Group == "flowcontrol.apiserver.k8s.io" {
		group = "flowcontrol"
	}
	if group == "" {
		group = "core"
	}
	for version := range clients.Methods() {
		if !strings.EqualFold(version.Name, group+gvk.Version) {
			continue
		}
		for kind := range version.Type.Out(0).Methods() {
			if strings.EqualFold(kind.Name, plural) {
				return kind.Type.NumIn() == 1, true
			}
		}
	}
	return false, false
}
