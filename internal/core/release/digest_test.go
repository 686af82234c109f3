package release_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

const (
	one v1alpha1.Digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	two v1alpha1.Digest = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	// hello is the sha256 of the text "hello".
	hello v1alpha1.Digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
)

func https(d v1alpha1.Digest) v1alpha1.Source {
	return v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{URL: "https://example.com/a.yaml", Digest: d}}
}

func file(d v1alpha1.Digest) v1alpha1.Source {
	return v1alpha1.Source{File: &v1alpha1.FileSource{Path: "a.yaml", Digest: d}}
}

func inline(text string) v1alpha1.Source {
	return v1alpha1.Source{Inline: &v1alpha1.InlineSource{Manifests: text}}
}

func phase(name string, sources ...v1alpha1.Source) v1alpha1.Phase {
	return v1alpha1.Phase{Name: name, Sources: sources}
}

func in(namespace string, p v1alpha1.Phase) v1alpha1.Phase {
	p.DefaultNamespace = namespace
	return p
}

func content(phases ...v1alpha1.Phase) v1alpha1.Release {
	return v1alpha1.Release{Version: "1.0.0", Phases: phases}
}

// contentOf is the content of a release whose sources stand for one file each.
func contentOf(r v1alpha1.Release) (phases []release.Phase, defined string) {
	for _, p := range r.Phases {
		phase := release.Phase{Name: p.Name}
		for _, s := range p.Sources {
			phase.Sources = append(phase.Sources, release.Source{
				Identity: string(release.SourceDigest(s)), Namespace: p.DefaultNamespace,
			})
		}
		phases = append(phases, phase)
	}
	return phases, ""
}

// TestDigestGolden pins the form: workload clusters carry these digests, and a
// change of them makes every cluster apply everything again.
func TestDigestGolden(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given v1alpha1.Release
		want  v1alpha1.Digest
	}{
		"nothing": {content(), "sha256:3f8a75b3bb533cbc3dab605263cab00cce61e364cf3417655f3f3fe9d8010b7b"},
		"one phase": {
			content(phase("crds", https(one))),
			"sha256:69101ab6269dfafa7182cdec746bda78d15a88e951e4c3eb108014f18b2462f8",
		},
		"every kind of source": {
			content(phase("crds", https(one), file(two)), phase("operator", inline("hello"))),
			"sha256:56e03c1f2e3244d333fec863b789104daa36d760d0af258a27ff2e5bf7f46264",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, release.Digest(contentOf(tc.given))); diff != "" {
				t.Errorf("digest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDigestIgnoresWhatIsNotContent(t *testing.T) {
	t.Parallel()
	base := release.Digest(contentOf(content(phase("crds", https(one)), phase("rest", https(hello)))))
	tests := map[string]func(*v1alpha1.Release){
		"another version":    func(r *v1alpha1.Release) { r.Version = "2.0.0" },
		"another constraint": func(r *v1alpha1.Release) { r.Kubernetes = ">=1.34.0" },
		"another timeout":    func(r *v1alpha1.Release) { r.Phases[0].Timeout = &metav1.Duration{Duration: 1} },
		"another readyWhen": func(r *v1alpha1.Release) {
			r.Phases[0].ReadyWhen = []v1alpha1.ReadyWhen{{Expression: "true"}}
		},
		"another address":    func(r *v1alpha1.Release) { r.Phases[0].Sources[0].HTTPS.URL = "https://b.example" },
		"a file for a URL":   func(r *v1alpha1.Release) { r.Phases[0].Sources[0] = file(one) },
		"the text for a URL": func(r *v1alpha1.Release) { r.Phases[1].Sources[0] = inline("hello") },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := content(phase("crds", https(one)), phase("rest", https(hello)))
			change(&given)
			if diff := cmp.Diff(base, release.Digest(contentOf(given))); diff != "" {
				t.Errorf("digest (-before +after):\n%s", diff)
			}
		})
	}
}

func TestDigestChangesWithWhatCanBeEdited(t *testing.T) {
	t.Parallel()
	phases, _ := contentOf(content(phase("crds", https(one))))
	seen := map[v1alpha1.Digest]bool{release.Digest(phases, ""): true}
	for _, defined := range []string{"a", "b"} {
		if d := release.Digest(phases, defined); seen[d] {
			t.Errorf("definitions %s: %s is the digest of others", defined, d)
		} else {
			seen[d] = true
		}
	}
}

func TestDigestChangesWithContent(t *testing.T) {
	t.Parallel()
	given := map[string]v1alpha1.Release{
		"nothing":                     content(),
		"a phase without sources":     content(phase("a")),
		"two sources in a phase":      content(phase("a", https(one), https(two))),
		"the sources in other order":  content(phase("a", https(two), https(one))),
		"the sources in two phases":   content(phase("a", https(one)), phase("b", https(two))),
		"the phases in other order":   content(phase("b", https(two)), phase("a", https(one))),
		"a phase with another name":   content(phase("c", https(one), https(two))),
		"one source":                  content(phase("a", https(one))),
		"one source twice":            content(phase("a", https(one), https(one))),
		"an inline text":              content(phase("a", inline("x"))),
		"an inline text and a blank":  content(phase("a", inline("x "))),
		"a source without any digest": content(phase("a", v1alpha1.Source{})),
		"a name that looks like more": content(phase("a 1\nsource " + string(one))),
		"a namespace of its own":      content(in("b", phase("a", https(one)))),
	}
	seen := map[v1alpha1.Digest]string{}
	for name, r := range given {
		d := release.Digest(contentOf(r))
		if other, found := seen[d]; found {
			t.Errorf("%q and %q have the same digest %s", name, other, d)
		}
		if !strings.HasPrefix(string(d), "sha256:") || len(d) != 71 {
			t.Errorf("%q: %q is not a digest", name, d)
		}
		seen[d] = name
	}
}

func TestSourceDigest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given v1alpha1.Source
		want  v1alpha1.Digest
	}{
		"a file on a web server":      {https(one), one},
		"a file of the image":         {file(two), two},
		"the sha256 of inline text":   {inline("hello"), hello},
		"a source that names nothing": {v1alpha1.Source{}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, release.SourceDigest(tc.given)); diff != "" {
				t.Errorf("digest (-want +got):\n%s", diff)
			}
		})
	}
}
