package library

import (
	"archive/tar"
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// tarOf returns an archive: pairs of a path and a content. A content that begins with
// -> is a link.
func tarOf(t *testing.T, pairs ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(pairs); i += 2 {
		header := &tar.Header{Name: pairs[i], Mode: 0o600, Size: int64(len(pairs[i+1]))}
		if to, ok := bytes.CutPrefix([]byte(pairs[i+1]), []byte("->")); ok {
			header.Typeflag, header.Linkname, header.Size = tar.TypeSymlink, string(to), 0
			pairs[i+1] = ""
		}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(pairs[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// overlays is an archive with a base and two overlays of it, and with links that
// nobody needs.
func overlays(t *testing.T, more ...string) string {
	t.Helper()
	return tarOf(t, append([]string{
		"base/kustomization.yaml", "resources: [a.yaml]\n", "base/a.yaml", configMap("a"),
		"edge/kustomization.yaml", "namePrefix: edge-\nresources: [../base]\n",
		"core/kustomization.yaml", "namePrefix: core-\nresources: [../base]\n",
		"latest", "->edge", "README.md", "# Not a manifest",
	}, more...)...)
}

// namesIn returns the names of the objects of a Bundle.
func namesIn(b *Bundle) []string {
	var names []string
	for _, phase := range b.Plan.Phases {
		for _, step := range phase.Steps {
			for _, object := range step.Objects {
				names = append(names, object.Ref.Name)
			}
		}
	}
	return names
}

func TestTheKustomizationOfAnArchiveIsBuilt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given  string
		change func(*v1alpha1.HTTPSSource)
		want   []string
	}{
		"at its root, if nothing is said": {
			given: overlays(t, "kustomization.yaml", "resources: [edge, core]\n"), want: []string{"core-a", "edge-a"},
		},
		"in the folder that is named": {
			given:  overlays(t, "kustomization.yaml", "resources: [edge, core]\n"),
			change: func(src *v1alpha1.HTTPSSource) { src.Kustomize = &v1alpha1.Kustomize{Path: "edge"} },
			want:   []string{"edge-a"},
		},
		"not if files are named": {
			given:  overlays(t, "kustomization.yaml", "resources: [edge, core]\n"),
			change: func(src *v1alpha1.HTTPSSource) { src.Files = []string{"base/a.*"} },
			want:   []string{"a"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t, t.TempDir(), newShelf())
			src := l.shelf.put("https://example.com/a.tar", tc.given)
			if tc.change != nil {
				tc.change(src.HTTPS)
			}
			got := namesIn(l.mustOpen(t, of(src)))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTwoOverlaysOfOneArchiveAreTwoReleases(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	var digests []v1alpha1.Digest
	for _, folder := range []string{"edge", "core", "edge"} {
		src := l.shelf.put("https://example.com/a.tar", overlays(t))
		src.HTTPS.Kustomize = &v1alpha1.Kustomize{Path: folder}
		digests = append(digests, l.mustOpen(t, of(src)).Digest)
	}
	if digests[0] == digests[1] || digests[0] != digests[2] {
		t.Errorf("want another digest for another folder only, got %s", digests)
	}
	if got := l.shelf.total(); got != 1 {
		t.Errorf("want one download of the archive, got %d", got)
	}
}

func TestAKustomizationThatCannotBeBuiltNamesItsSource(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	src := l.shelf.put("https://example.com/a.tar", overlays(t))
	src.HTTPS.Kustomize = &v1alpha1.Kustomize{Path: "latest"}
	_, err := l.settle(t, of(src))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.KustomizationInvalidReason,
		`phase phase-0: a.tar: kustomization "latest": no kustomization.yaml there, but in "base", "core", "edge"`)

	plain := l.shelf.put("https://example.com/a.yaml", configMap("a"))
	plain.HTTPS.Kustomize = &v1alpha1.Kustomize{Path: "edge"}
	_, err = l.settle(t, of(plain))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "a.yaml: kustomize is for archives")

	broken := l.shelf.put("https://example.com/b.tar", overlays(t)[:700])
	_, err = l.settle(t, of(broken))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, "b.tar: ")
}
