package readiness_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
)

func pools() manifest.CRD {
	return manifest.CRD{
		Group: "crd.projectcalico.org", Kind: "IPPool", ListKind: "IPPoolList", Plural: "ippools",
		Singular: "ippool", ShortNames: []string{"ipp", "pool"}, Served: []string{"v1", "v1beta1"},
	}
}

func served() metav1.APIResource {
	return metav1.APIResource{
		Name: "ippools", SingularName: "ippool", Kind: "IPPool", ShortNames: []string{"ipp", "pool"},
		Categories: []string{"all"},
		Verbs:      metav1.Verbs{"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"},
	}
}

func TestCRDServed(t *testing.T) {
	t.Parallel()
	const name = "CustomResourceDefinition ippools.crd.projectcalico.org"
	tests := map[string]struct {
		givenCRD      func(*manifest.CRD)
		givenResource func(*metav1.APIResource)
		wantReady     bool
		want          string
	}{
		"served as it was asked for": {wantReady: true, want: name + " is served"},
		"another kind": {
			givenResource: func(r *metav1.APIResource) { r.Kind = "Pool" },
			want:          name + `: v1beta1 is served with the kind "Pool", not "IPPool"`,
		},
		"a kind that was not accepted": {
			givenResource: func(r *metav1.APIResource) { r.Kind = "" },
			want:          name + `: v1beta1 is served with the kind "", not "IPPool"`,
		},
		"another singular name": {
			givenResource: func(r *metav1.APIResource) { r.SingularName = "pool" },
			want:          name + `: v1beta1 is served with the singular name "pool", not "ippool"`,
		},
		"a short name that was not accepted": {
			givenResource: func(r *metav1.APIResource) { r.ShortNames = []string{"ipp"} },
			want:          name + `: v1beta1 is served with the short names "ipp", not "ipp,pool"`,
		},
		"a short name that is no longer wanted": {
			givenCRD: func(c *manifest.CRD) { c.ShortNames = nil },
			want:     name + `: v1beta1 is served with the short names "ipp,pool", not ""`,
		},
		"short names in another order": {
			givenResource: func(r *metav1.APIResource) { slices.Reverse(r.ShortNames) },
			wantReady:     true, want: name + " is served",
		},
		"another scope": {
			givenCRD: func(c *manifest.CRD) { c.Namespaced = true },
			want:     name + `: v1beta1 is served with the scope "Cluster", not "Namespaced"`,
		},
		"another scope the other way": {
			givenResource: func(r *metav1.APIResource) { r.Namespaced = true },
			want:          name + `: v1beta1 is served with the scope "Namespaced", not "Cluster"`,
		},
		"other categories": {
			givenResource: func(r *metav1.APIResource) { r.Categories = nil },
			wantReady:     true, want: name + " is served",
		},
		"being deleted": {
			givenResource: func(r *metav1.APIResource) {
				r.Verbs = metav1.Verbs{"delete", "deletecollection", "get", "list", "watch"}
			},
			want: name + ": v1beta1 is being deleted",
		},
		"a singular name by default": {
			givenCRD:  func(c *manifest.CRD) { c.Singular = "" },
			wantReady: true, want: name + " is served",
		},
		"a singular name by default that is not the one served": {
			givenCRD: func(c *manifest.CRD) { c.Singular, c.Kind = "", "Other" },
			givenResource: func(r *metav1.APIResource) {
				r.Kind = "Other"
			},
			want: name + `: v1beta1 is served with the singular name "ippool", not "other"`,
		},
		"only a subresource is listed": {
			givenResource: func(r *metav1.APIResource) { r.Name = "ippools/status" },
			want:          name + ": v1beta1 is not served yet",
		},
		"a version that is not listed": {
			givenCRD: func(c *manifest.CRD) { c.Served = []string{"v2", "v1"} },
			want:     name + ": v2 is not served yet",
		},
		"of several versions that are not listed the first": {
			givenCRD: func(c *manifest.CRD) { c.Served = []string{"v3", "v2"} },
			want:     name + ": v2 is not served yet",
		},
		"no version to serve": {
			givenCRD:  func(c *manifest.CRD) { c.Served = nil },
			wantReady: true, want: name + " is served",
		},
	}
	for testName, tc := range tests {
		t.Run(testName, func(t *testing.T) {
			t.Parallel()
			crd, resource := pools(), served()
			if tc.givenCRD != nil {
				tc.givenCRD(&crd)
			}
			if tc.givenResource != nil {
				tc.givenResource(&resource)
			}
			before := slices.Clone(crd.Served)
			got := readiness.CRDServed(crd, map[string][]metav1.APIResource{
				"v1": {{Name: "felixconfigurations"}, servedAs(crd), {Name: "ippools/status", Kind: "IPPool"}},
				// The version under test stands last, behind one without fault.
				"v1beta1": {resource, {Name: "felixconfigurations"}},
			})
			want := readiness.Finding{Ready: tc.wantReady, Reason: v1alpha1.CRDsNotServedReason, Message: tc.want}
			if tc.wantReady {
				want.Reason = v1alpha1.ReadyReason
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, crd.Served); diff != "" {
				t.Errorf("the input changed (-before +after):\n%s", diff)
			}
		})
	}
}

// servedAs returns the resource that discovery lists for a CRD once all is well.
func servedAs(crd manifest.CRD) metav1.APIResource {
	r := served()
	r.Kind, r.ShortNames, r.Namespaced = crd.Kind, crd.ShortNames, crd.Namespaced
	if crd.Kind == "Other" {
		r.SingularName = "other"
	}
	return r
}

func TestCRDServedWithoutDiscovery(t *testing.T) {
	t.Parallel()
	want := readiness.Finding{
		Reason:  v1alpha1.CRDsNotServedReason,
		Message: "CustomResourceDefinition ippools.crd.projectcalico.org: v1 is not served yet",
	}
	if diff := cmp.Diff(want, readiness.CRDServed(pools(), nil)); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	const name = "CustomResourceDefinition ippools.crd.projectcalico.org"
	const accepted = "{type: NamesAccepted, status: 'True', reason: NoConflicts, message: no conflicts found}"
	const established = "{type: Established, status: 'True', reason: InitialNamesAccepted}"
	const conflict = "{type: NamesAccepted, status: 'False', reason: KindConflict, message: '\"IPPool\" " +
		"is already in use'}"
	tests := map[string]struct {
		given string
		want  readiness.Finding
	}{
		"established": {"status: {conditions: [" + accepted + ", " + established + "]}", readiness.Finding{
			Ready: true, Reason: v1alpha1.ReadyReason, Message: name + " is established",
		}},
		"without a status": {"spec: {}", readiness.Finding{
			Reason: v1alpha1.CRDsNotServedReason, Message: name + " is not established yet",
		}},
		"without conditions": {"status: {conditions: null}", readiness.Finding{
			Reason: v1alpha1.CRDsNotServedReason, Message: name + " is not established yet",
		}},
		"with names accepted and nothing more": {"status: {conditions: [" + accepted + "]}", readiness.Finding{
			Reason: v1alpha1.CRDsNotServedReason, Message: name + " is not established yet",
		}},
		"being installed": {
			"status: {conditions: [" + accepted + ", {type: Established, status: 'False', reason: " +
				"Installing, message: the initial names have been accepted}]}",
			readiness.Finding{
				Reason:  v1alpha1.CRDsNotServedReason,
				Message: name + ": Installing: the initial names have been accepted",
			},
		},
		"a name that another one has": {
			"status: {conditions: [{type: Established, status: 'False', reason: NotAccepted}, " + conflict + "]}",
			readiness.Finding{
				Stalled: true, Reason: v1alpha1.CRDNamesConflictReason, Message: name + `: KindConflict: ` +
					`"IPPool" is already in use`,
			},
		},
		"a conflict of one that is established": {
			"status: {conditions: [" + established + ", " + conflict + "]}",
			readiness.Finding{
				Stalled: true, Reason: v1alpha1.CRDNamesConflictReason, Message: name + `: KindConflict: ` +
					`"IPPool" is already in use`,
			},
		},
		"a conflict without words": {
			"status: {conditions: [{type: NamesAccepted, status: 'False'}]}",
			readiness.Finding{
				Stalled: true, Reason: v1alpha1.CRDNamesConflictReason, Message: name + ": its names are not accepted",
			},
		},
		"not established without words": {
			"status: {conditions: [{type: Established, status: 'False'}]}",
			readiness.Finding{Reason: v1alpha1.CRDsNotServedReason, Message: name + ": is not established yet"},
		},
		"being deleted": {
			"status: {conditions: [" + accepted + ", " + established + ", {type: Terminating, status: 'True'}]}",
			readiness.Finding{Reason: v1alpha1.CRDsNotServedReason, Message: name + " is being deleted"},
		},
		"elements that are no conditions": {
			"status: {conditions: [1, {type: 2}, {type: NamesAccepted, status: 3}, null]}",
			readiness.Finding{Reason: v1alpha1.CRDsNotServedReason, Message: name + " is not established yet"},
		},
		"a status that is no object": {"status: broken", readiness.Finding{
			Reason: v1alpha1.CRDsNotServedReason, Message: name + " is not established yet",
		}},
	}
	for testName, tc := range tests {
		t.Run(testName, func(t *testing.T) {
			t.Parallel()
			got := readiness.Conditions(parsed(t, "apiVersion: apiextensions.k8s.io/v1\nkind: "+
				"CustomResourceDefinition\n"+
				"metadata: {name: ippools.crd.projectcalico.org}\n"+tc.given))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
		})
	}
}
