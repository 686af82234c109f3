package bundle

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

func TestReferencesOfASource(t *testing.T) {
	t.Parallel()
	named := func(name string) v1alpha1.LocalReference { return v1alpha1.LocalReference{Name: name} }
	tests := map[string]struct {
		given v1alpha1.Source
		want  []string
	}{
		"a file on a web server names nothing": {v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{}}, nil},
		"a file with credentials": {
			v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{SecretRef: named("login"), CARef: named("ca")}},
			[]string{"Secret/login", "Secret/ca"},
		},
		"a ConfigMap": {
			v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: "a"}}, []string{"ConfigMap/a"},
		},
		"a Secret":                        {v1alpha1.Source{Secret: &v1alpha1.SecretSource{Name: "a"}}, []string{"Secret/a"}},
		"a public artifact names nothing": {v1alpha1.Source{OCI: &v1alpha1.OCISource{}}, nil},
		"an artifact with credentials": {
			v1alpha1.Source{OCI: &v1alpha1.OCISource{SecretRef: named("login"), CARef: named("ca")}},
			[]string{"Secret/login", "Secret/ca"},
		},
		"an artifact that a key must have signed": {
			v1alpha1.Source{OCI: &v1alpha1.OCISource{Verify: &v1alpha1.Verify{SecretRef: named("cosign")}}},
			[]string{"Secret/cosign"},
		},
		"a chart that an identity must have signed": {
			v1alpha1.Source{Helm: &v1alpha1.HelmSource{Verify: &v1alpha1.Verify{TrustedRootRef: named("sigstore")}}},
			[]string{"ConfigMap/sigstore"},
		},
		"a chart with values": {
			v1alpha1.Source{Helm: &v1alpha1.HelmSource{
				SecretRef: named("login"),
				ValuesFrom: []v1alpha1.ValuesReference{
					{Kind: "ConfigMap", Name: "values"}, {Kind: "Secret", Name: "passwords"},
				},
			}},
			[]string{"Secret/login", "ConfigMap/values", "Secret/passwords"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, references(test.given)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
