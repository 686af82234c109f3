package inventory

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOwner(t *testing.T) {
	t.Parallel()
	us := ParentOf("default", "cni")
	tests := map[string]struct {
		givenLabels, givenAnnotations map[string]string
		want                          string
	}{
		"nothing says who": {},
		"labels that claim nothing": {
			givenLabels: map[string]string{"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "calico"},
		},
		"our own": {givenLabels: map[string]string{PartOfLabel: us.ID()}},
		"our own, that came from Helm once": {
			givenLabels:      map[string]string{PartOfLabel: us.ID()},
			givenAnnotations: map[string]string{"meta.helm.sh/release-name": "calico"},
		},
		"another ApplySet": {
			givenLabels: map[string]string{PartOfLabel: "applyset-x-v1"}, want: "the ApplySet applyset-x-v1",
		},
		"another ApplySet before Helm": {
			givenLabels:      map[string]string{PartOfLabel: "applyset-x-v1"},
			givenAnnotations: map[string]string{"meta.helm.sh/release-name": "calico"},
			want:             "the ApplySet applyset-x-v1",
		},
		"a Helm release": {
			givenAnnotations: map[string]string{
				"meta.helm.sh/release-name": "calico", "meta.helm.sh/release-namespace": "tigera-operator",
			},
			want: "the Helm release tigera-operator/calico",
		},
		"a Helm release without a namespace": {
			givenAnnotations: map[string]string{"meta.helm.sh/release-name": "calico"}, want: "the Helm release calico",
		},
		"a Flux Kustomization": {
			givenLabels: map[string]string{
				"kustomize.toolkit.fluxcd.io/name": "cni", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
			},
			want: "the Flux Kustomization flux-system/cni",
		},
		"a Flux HelmRelease": {
			givenLabels: map[string]string{
				"helm.toolkit.fluxcd.io/name": "cni", "helm.toolkit.fluxcd.io/namespace": "flux-system",
			},
			want: "the Flux HelmRelease flux-system/cni",
		},
		"the Helm release that a Flux HelmRelease made": {
			givenLabels:      map[string]string{"helm.toolkit.fluxcd.io/name": "cni"},
			givenAnnotations: map[string]string{"meta.helm.sh/release-name": "calico"},
			want:             "the Helm release calico",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := &metav1.ObjectMeta{Labels: test.givenLabels, Annotations: test.givenAnnotations}
			if got := ViewOf(live, us, nil).Owner; got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}
