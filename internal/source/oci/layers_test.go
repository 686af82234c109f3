package oci_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

const fluxType = "application/vnd.cncf.flux.content.v1.tar+gzip"

func readable(mediaType, title string) bool {
	return mediaType == yamlType || mediaType == fluxType || strings.HasSuffix(title, ".yaml")
}

// several is an artifact of four layers, one of them empty.
func several() []byte {
	return ocitest.NewArtifact(
		ocitest.File{Title: "b.yaml", MediaType: yamlType, Content: []byte("b")},
		ocitest.File{MediaType: "application/vnd.oci.empty.v1+json", Content: []byte("{}")},
		ocitest.File{MediaType: fluxType, Content: []byte("flux")},
		ocitest.File{Title: "a.yaml", MediaType: yamlType, Content: []byte("a")},
		ocitest.File{Title: "a.png", MediaType: "image/png", Content: []byte("png")},
	).Manifest
}

func TestLayersAreChosen(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given  []byte
		wanted []string
		want   []string
	}{
		"by title, in the order asked for": {several(), []string{"a.yaml", "b.yaml"}, []string{"a.yaml", "b.yaml"}},
		"by media type, all that have it":  {several(), []string{yamlType}, []string{"b.yaml", "a.yaml"}},
		"none twice": {
			several(), []string{"a.yaml", yamlType, fluxType}, []string{"a.yaml", "b.yaml", ""},
		},
		"all that have content": {
			ocitest.NewArtifact(
				ocitest.File{MediaType: "application/vnd.oci.empty.v1+json", Content: []byte("{}")},
				ocitest.File{Title: "x.yaml", MediaType: "application/unknown", Content: []byte("x")},
			).Manifest, nil, []string{"x.yaml"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			layers, err := oci.Layers(tc.given, tc.wanted, readable)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range layers {
				got = append(got, l.Title)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("titles (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLayersBeyondTheLimitMayStandBesideThoseThatAreWanted(t *testing.T) {
	t.Parallel()
	files := []ocitest.File{{Title: "a.yaml", MediaType: yamlType, Content: []byte("a")}}
	for i := range oci.MaxLayers {
		files = append(files, ocitest.File{MediaType: fluxType, Content: fmt.Append(nil, i)})
	}
	layers, err := oci.Layers(ocitest.NewArtifact(files...).Manifest, []string{"a.yaml"}, readable)
	if err != nil || len(layers) != 1 {
		t.Errorf("want the one layer that is wanted, got %d, %v", len(layers), err)
	}
}

func TestDocumentationBesideManifestsIsNotRead(t *testing.T) {
	t.Parallel()
	const orasType = "application/vnd.oci.image.layer.v1.tar"
	file := func(title, mediaType string) ocitest.File {
		return ocitest.File{Title: title, MediaType: mediaType, Content: []byte(title)}
	}
	tests := map[string]struct {
		given []ocitest.File
		want  []string
		says  string
	}{
		"a README and a LICENSE beside a manifest": {
			given: []ocitest.File{file("README.md", orasType), file("a.yaml", orasType), file("LICENSE", orasType)},
			want:  []string{"a.yaml"},
		},
		"a README with a type of its own": {
			given: []ocitest.File{file("docs/ReadMe.md", "text/markdown"), file("a.yaml", orasType)},
			want:  []string{"a.yaml"},
		},
		"a manifest by its type in a text file": {
			given: []ocitest.File{file("manifests.txt", yamlType), file("a.yaml", orasType)},
			want:  []string{"manifests.txt", "a.yaml"},
		},
		"a README alone": {
			given: []ocitest.File{file("README.md", orasType)},
			says: `the layer "README.md" of the media type "application/vnd.oci.image.layer.v1.tar" cannot be read: ` +
				"it is neither YAML nor an archive of it; push files whose names end in .yaml",
		},
		"a program beside a manifest": {
			given: []ocitest.File{file("a.yaml", orasType), file("a.exe", orasType)},
			says: `"a.exe" of the media type "application/vnd.oci.image.layer.v1.tar" cannot be read: ` +
				"it is neither YAML nor an archive of it; name the layers to read in layers",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			layers, err := oci.Layers(ocitest.NewArtifact(tc.given...).Manifest, nil, func(mediaType, title string) bool {
				return mediaType == yamlType || strings.HasSuffix(title, ".yaml")
			})
			if tc.says != "" {
				faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, tc.says)
				return
			}
			var got []string
			for _, l := range layers {
				got = append(got, l.Title)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("titles (-want +got), error %v:\n%s", err, diff)
			}
		})
	}
}

func TestALayerIsDescribed(t *testing.T) {
	t.Parallel()
	want := oci.Layer{Digest: digest.FromString(content), Size: int64(len(content)), MediaType: yamlType, Title: "a.yaml"}
	if diff := cmp.Diff(want, layerOf(t, artifact())); diff != "" {
		t.Errorf("layer (-want +got):\n%s", diff)
	}
}

func TestManifestsWhoseLayersAreRefused(t *testing.T) {
	t.Parallel()
	many := make([]ocitest.File, oci.MaxLayers+1)
	for i := range many {
		many[i] = ocitest.File{MediaType: yamlType, Content: []byte(fmt.Sprint(i))}
	}
	layer := func(text string) []byte { return []byte(`{"layers":[` + text + `]}`) }
	tests := map[string]struct {
		given      []byte
		wanted     []string
		wantReason string
		wantText   string
	}{
		"not JSON":     {[]byte("x"), nil, v1alpha1.ArtifactInvalidReason, "not JSON"},
		"another form": {[]byte(`{"layers":"x"}`), nil, v1alpha1.ArtifactInvalidReason, "not JSON of the form"},
		"an index of one": {
			ocitest.NewIndex(someDigest()).Manifest, nil, v1alpha1.ArtifactInvalidReason, "an index, not a manifest",
		},
		"an index of two": {
			ocitest.NewIndex(someDigest(), someDigest()).Manifest, nil,
			v1alpha1.ArtifactInvalidReason, "an index of 2 manifests",
		},
		"no layers":    {[]byte(`{}`), nil, v1alpha1.ArtifactInvalidReason, "no layer with content"},
		"empty layers": {emptyOnly(), nil, v1alpha1.ArtifactInvalidReason, "no layer with content"},
		"too many": {
			ocitest.NewArtifact(many...).Manifest, nil, v1alpha1.LimitExceededReason, "257 layers are more than the limit of 256: name those to read in layers",
		},
		"no digest": {layer(`{"size":1}`), nil, v1alpha1.ArtifactInvalidReason, "layers[0]: the digest"},
		"bad digest": {
			layer(`{"digest":"sha256:../../x","size":1}`), nil, v1alpha1.ArtifactInvalidReason, "layers[0]: the digest",
		},
		"sha512": {
			layer(fmt.Sprintf(`{"digest":%q,"size":1}`, digest.SHA512.FromString("a"))), nil,
			v1alpha1.ArtifactInvalidReason, "layers[0]: the digest",
		},
		"a negative size": {
			layer(fmt.Sprintf(`{"digest":%q,"size":-1}`, someDigest())), nil,
			v1alpha1.ArtifactInvalidReason, "size -1 is negative",
		},
		"a layer that nobody reads": {
			several(), nil, v1alpha1.ArtifactInvalidReason, `the layer "a.png" of the media type "image/png" cannot be read`,
		},
		"a layer without a title that nobody reads": {
			ocitest.NewArtifact(ocitest.File{MediaType: "x/y\n", Content: []byte("x")}).Manifest, nil,
			v1alpha1.ArtifactInvalidReason, `the layer of the media type "x/y" cannot be read`,
		},
		"a layer that is missing": {
			several(), []string{"a.yaml", "c.yaml"}, v1alpha1.ArtifactInvalidReason,
			`no layer with the title or the media type "c.yaml", but "b.yaml", "` + fluxType + `", "a.yaml", "a.png"`,
		},
		"a layer that is missing of many": {
			ocitest.NewArtifact(many[:7]...).Manifest, []string{"c.yaml"}, v1alpha1.ArtifactInvalidReason, ", and 2 more",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := oci.Layers(tc.given, tc.wanted, readable)
			faulttest.Want(t, err, fault.ClassStall, tc.wantReason, tc.wantText)
			if got != nil {
				t.Errorf("want no layers beside the error, got %v", got)
			}
		})
	}
}

func emptyOnly() []byte {
	return ocitest.NewArtifact(
		ocitest.File{MediaType: "application/vnd.oci.empty.v1+json", Content: []byte("{}")}).Manifest
}

func TestTheOrderOfPhasesIsThatOfTheConfig(t *testing.T) {
	t.Parallel()
	a := ocitest.NewBundle(
		ocitest.Phase{Name: "crds", Manifests: []byte("c")}, ocitest.Phase{Name: "operator", Manifests: []byte("o")})
	plan, ok, err := oci.PlanOf(a.Manifest)
	if err != nil || !ok {
		t.Fatalf("want a plan, got %v, %v", ok, err)
	}
	names := phaseNames(t, a.Manifest, a.Blobs[plan.Digest])
	if diff := cmp.Diff([]string{"crds", "operator"}, names); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}

	manifest, config := edit(t, a, func(m map[string]any, p []any) (map[string]any, []any) {
		return m, []any{p[1], p[0]}
	})
	if diff := cmp.Diff([]string{"operator", "crds"}, phaseNames(t, manifest, config)); diff != "" {
		t.Errorf("phases in another order (-want +got):\n%s", diff)
	}
}

func phaseNames(t *testing.T, manifest, config []byte) []string {
	t.Helper()
	phases, err := oci.Phases(manifest, config)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range phases {
		if p.Layer.MediaType != oci.PhaseMediaType || p.Layer.Size == 0 {
			t.Errorf("want the layer of %s, got %+v", p.Name, p.Layer)
		}
		names = append(names, p.Name)
	}
	return names
}

// edit returns a bundle's manifest and config after a change, the config's
// digest set right.
func edit(
	t *testing.T, a ocitest.Artifact, change func(manifest map[string]any, phases []any) (map[string]any, []any),
) (manifest, config []byte) {
	t.Helper()
	var m map[string]any
	var p struct {
		Phases []any `json:"phases"`
	}
	plan, _, err := oci.PlanOf(a.Manifest)
	if err != nil || json.Unmarshal(a.Manifest, &m) != nil || json.Unmarshal(a.Blobs[plan.Digest], &p) != nil {
		t.Fatal(err)
	}
	m, p.Phases = change(m, p.Phases)
	config, err = json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	m["config"].(map[string]any)["digest"] = digest.FromBytes(config).String()
	manifest, err = json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return manifest, config
}

func TestAnotherManifestHasNoPlan(t *testing.T) {
	t.Parallel()
	if _, ok, err := oci.PlanOf(artifact().Manifest); ok || err != nil {
		t.Errorf("want none, got %v, %v", ok, err)
	}
	_, err := oci.Phases(artifact().Manifest, []byte("{}"))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, "not of the artifact type")
	_, err = oci.Phases([]byte("x"), nil)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, "not JSON")
}

func TestBundlesThatAreRefused(t *testing.T) {
	t.Parallel()
	type change = func(map[string]any, []any) (map[string]any, []any)
	phase := func(p []any, i int) map[string]any { return p[i].(map[string]any) }
	layer := func(m map[string]any, i int) map[string]any { return m["layers"].([]any)[i].(map[string]any) }
	tests := map[string]struct {
		given change
		want  string
	}{
		"no phases": {
			func(m map[string]any, _ []any) (map[string]any, []any) { return m, nil }, "0 phases, not 1 to 16",
		},
		"too many phases": {
			func(m map[string]any, p []any) (map[string]any, []any) { return m, append(p, make([]any, 16)...) }, "18 phases",
		},
		"a name twice": {func(m map[string]any, p []any) (map[string]any, []any) {
			phase(p, 1)["name"] = "crds"
			return m, p
		}, `phases[1]: the name "crds" is empty or duplicated`},
		"no name": {func(m map[string]any, p []any) (map[string]any, []any) {
			phase(p, 0)["name"] = ""
			return m, p
		}, `phases[0]: the name ""`},
		"an unknown field": {func(m map[string]any, p []any) (map[string]any, []any) {
			phase(p, 0)["wait"] = true
			return m, p
		}, "not a list of phases"},
		"a layer that is not there": {func(m map[string]any, p []any) (map[string]any, []any) {
			phase(p, 0)["layer"] = someDigest().String()
			return m, p
		}, "phases[0]: no layer"},
		"a layer twice": {func(m map[string]any, p []any) (map[string]any, []any) {
			phase(p, 1)["layer"] = phase(p, 0)["layer"]
			delete(layer(m, 0), "annotations")
			return m, p
		}, "phases[1]: no layer, or one of another phase"},
		"a layer of no phase": {
			func(m map[string]any, p []any) (map[string]any, []any) { return m, p[:1] }, "1 of its layers without a phase",
		},
		"another annotation": {func(m map[string]any, p []any) (map[string]any, []any) {
			phase(p, 0)["name"] = "other"
			return m, p
		}, `the phase "other" is annotated with "crds"`},
		"another media type": {func(m map[string]any, p []any) (map[string]any, []any) {
			layer(m, 1)["mediaType"] = yamlType
			return m, p
		}, `layers[1]: the media type is "application/yaml"`},
		"one layer in two places": {func(m map[string]any, p []any) (map[string]any, []any) {
			layer(m, 1)["digest"] = layer(m, 0)["digest"]
			return m, p
		}, "layers[1]: sha256:"},
		"a config of another media type": {func(m map[string]any, p []any) (map[string]any, []any) {
			m["config"].(map[string]any)["mediaType"] = yamlType
			return m, p
		}, "its config is of the media type"},
		"a config without a size": {func(m map[string]any, p []any) (map[string]any, []any) {
			m["config"].(map[string]any)["size"] = -1
			return m, p
		}, "config: the size -1"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := ocitest.NewBundle(
				ocitest.Phase{Name: "crds", Manifests: []byte("c")}, ocitest.Phase{Name: "operator", Manifests: []byte("o")})
			manifest, config := edit(t, a, tc.given)
			_, err := oci.Phases(manifest, config)
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, tc.want)
		})
	}
}

func TestAnotherConfigIsRefused(t *testing.T) {
	t.Parallel()
	a := ocitest.NewBundle(ocitest.Phase{Name: "crds", Manifests: []byte("c")})
	_, err := oci.Phases(a.Manifest, []byte("{}"))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.DigestMismatchReason, "the config is not that of the digest")
}
