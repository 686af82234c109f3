package release_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// policy is one of the key with the name.
func policy(name string) *v1alpha1.Verify {
	return &v1alpha1.Verify{SecretRef: v1alpha1.LocalReference{Name: name}}
}

// phased is a release with the source in its second phase.
func phased(src v1alpha1.Source) v1alpha1.Release {
	return v1alpha1.Release{Version: "1.0.0", Phases: []v1alpha1.Phase{
		{Name: "crds", Sources: []v1alpha1.Source{{OCI: &v1alpha1.OCISource{Repository: "r/crds"}}}},
		{Name: "operator", Sources: []v1alpha1.Source{src}},
	}}
}

func TestThePolicyOfABundleIsThatOfItsSources(t *testing.T) {
	t.Parallel()
	artifact := func(v *v1alpha1.Verify) v1alpha1.Source {
		return v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: "r/a", Verify: v}}
	}
	chart := func(v *v1alpha1.Verify) v1alpha1.Source {
		return v1alpha1.Source{Helm: &v1alpha1.HelmSource{Chart: "oci://r/c", Verify: v}}
	}
	tests := map[string]struct{ given, want v1alpha1.Source }{
		"an artifact that names none":     {artifact(nil), artifact(policy("bundle"))},
		"an artifact that names its own":  {artifact(policy("own")), artifact(policy("own"))},
		"a chart that names none":         {chart(nil), chart(policy("bundle"))},
		"a chart that names a key itself": {chart(policy("own")), chart(policy("own"))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := phased(test.given)
			before := given.DeepCopy()
			got, err := release.WithVerifyPolicy(v1alpha1.BundleSpec{Verify: policy("bundle")}, given)
			if err != nil {
				t.Fatal(err)
			}
			want := phased(test.want)
			want.Phases[0].Sources[0].OCI.Verify = policy("bundle")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(*before, given); diff != "" {
				t.Errorf("the release that was passed has changed:\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeSigned(t *testing.T) {
	t.Parallel()
	tests := map[string]v1alpha1.Source{
		"a file on a web server":  {HTTPS: &v1alpha1.HTTPSSource{URL: "https://example.com"}},
		"a file":                  {File: &v1alpha1.FileSource{Path: "a.yaml"}},
		"inline":                  {Inline: &v1alpha1.InlineSource{Manifests: "a"}},
		"a ConfigMap":             {ConfigMap: &v1alpha1.ConfigMapSource{Name: "a"}},
		"a Secret":                {Secret: &v1alpha1.SecretSource{Name: "a"}},
		"a chart on a web server": {Helm: &v1alpha1.HelmSource{Chart: "https://example.com/a"}},
		"nothing":                 {},
	}
	for name, src := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := release.WithVerifyPolicy(v1alpha1.BundleSpec{Verify: policy("bundle")}, phased(src))
			if fault.ClassOf(err) != fault.ClassStall || fault.ReasonOf(err, "") != v1alpha1.SignatureMissingReason {
				t.Fatalf("want a terminal error, got %v", err)
			}
			const want = "phase operator: sources[0]: the Bundle's verify asks for a signature, " +
				"and only artifacts of a registry can be signed"
			if !strings.Contains(err.Error(), want) {
				t.Errorf("want %q in %q", want, err)
			}
			if got, err := release.WithVerifyPolicy(v1alpha1.BundleSpec{}, phased(src)); err != nil || !cmp.Equal(got, phased(src)) {
				t.Errorf("want it as it is without a policy, got %v, %v", got, err)
			}
		})
	}
}
