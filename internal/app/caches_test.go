package app

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
)

func TestOnlyWhatASourceMayNameIsCached(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		of    func() fields.Selector
		given fields.Set
		want  bool
	}{
		"a login of a registry":   {secrets, fields.Set{"type": string(corev1.SecretTypeDockerConfigJson)}, true},
		"a Secret of no type":     {secrets, fields.Set{"type": string(corev1.SecretTypeOpaque)}, true},
		"a service account token": {secrets, fields.Set{"type": "kubernetes.io/service-account-token"}, false},
		"a bootstrap token":       {secrets, fields.Set{"type": "bootstrap.kubernetes.io/token"}, false},
		"a kubeconfig":            {secrets, fields.Set{"type": "cluster.x-k8s.io/secret"}, false},
		"a release of Helm":       {secrets, fields.Set{"type": "helm.sh/release.v1"}, false},
		"values":                  {configMaps, fields.Set{"metadata.name": "values"}, true},
		"an authority":            {configMaps, fields.Set{"metadata.name": "kube-root-ca.crt"}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.of().Matches(tc.given); got != tc.want {
				t.Errorf("%v: want cached %t, got %t", tc.given, tc.want, got)
			}
		})
	}
}

func secrets() fields.Selector    { return nameable()[secretKind].Field }
func configMaps() fields.Selector { return nameable()[configMapKind].Field }
