package source_test

import (
	"fmt"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

const (
	chartType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	// orasType is what oras push gives to files.
	orasType = "application/vnd.oci.image.layer.v1.tar"
)

// plainSource is an artifact in a registry without TLS.
func plainSource(r *ocitest.Registry, repository, tag string) v1alpha1.Source {
	return v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: r.Host() + "/" + repository, Tag: tag, Insecure: new(true)}}
}

// plainChart is a chart in a registry without TLS.
func plainChart(r *ocitest.Registry, repository, version string) v1alpha1.Source {
	return v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: "oci://" + r.Host() + "/" + repository, Version: version, ReleaseName: "a", Namespace: "a", Insecure: new(true),
	}}
}

func TestFilesAsOrasPushesThem(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{})
	files := []ocitest.File{{Title: "README.md", MediaType: orasType, Content: []byte("# Calico")}}
	for i := range 40 {
		text := fmt.Sprintf("kind: A%02d", i)
		files = append(files, ocitest.File{Title: text[6:] + ".yaml", MediaType: orasType, Content: []byte(text)})
	}
	registry.Push(t, "many", ocitest.NewArtifact(files...), "v1")
	parts := resolved(t, newResolver(t), plainSource(registry, "many", "v1"))
	if len(parts) != 40 || content(t, parts[39]) != "kind: A39" {
		t.Errorf("want the 40 manifests, got %d parts", len(parts))
	}
}

func TestASourceOfTheWrongKindNamesTheRightOne(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{})
	registry.Push(t, "chart", ocitest.NewArtifact(
		ocitest.File{MediaType: "application/vnd.cncf.helm.chart.provenance.v1.prov", Content: []byte("signed")},
		ocitest.File{Title: "a-1.0.0.tgz", MediaType: chartType, Content: []byte("chart")},
	), "1.0.0")
	registry.Push(t, "files", ocitest.NewArtifact(
		ocitest.File{Title: "a.yaml", MediaType: orasType, Content: []byte("kind: A")}), "1.0.0")
	tests := map[string]struct {
		given v1alpha1.Source
		want  string
	}{
		"a chart in an oci source": {
			plainSource(registry, "chart", "1.0.0"),
			"/chart:1.0.0: it is a Helm chart: use a helm source with chart: oci://" + registry.Host() + "/chart ",
		},
		"files in a helm source": {
			plainChart(registry, "files", "1.0.0"), "/files 1.0.0: the artifact has no layer of the media type " + chartType +
				", so it is no Helm chart: use an oci source",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newResolver(t).Resolve(t.Context(), source.Query{Namespace: namespace, Source: test.given})
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, test.want)
		})
	}
}
