package source_test

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

func TestAKustomizationIsThatOfTheLayersThatAreArchives(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{TLS: true})
	plain := ocitest.File{MediaType: "application/yaml", Content: []byte("kind: A")}
	packed := ocitest.File{MediaType: "application/vnd.cncf.flux.content.v1.tar+gzip", Content: []byte("packed")}
	registry.Push(t, "both", ocitest.NewArtifact(plain, packed), "v1")
	registry.Push(t, "plain", ocitest.NewArtifact(plain), "v1")
	r := newResolver(t)
	src := v1alpha1.Source{OCI: &v1alpha1.OCISource{
		Repository: registry.Host() + "/both", Tag: "v1", CARef: testCA,
		Kustomize: &v1alpha1.Kustomize{},
	}}
	parts := resolved(t, r, src)
	if len(parts) != 2 || parts[0].Kustomize != "" || parts[1].Kustomize != "." {
		t.Errorf("want the root of the archive only, got %v", parts)
	}
	src.OCI.Kustomize.Path = "overlays/edge"
	if edge := resolved(t, r, src)[1]; edge.ID() == parts[1].ID() || edge.Digest != parts[1].Digest {
		t.Errorf("want another identity of the same bytes, got %s and %s", edge.ID(), parts[1].ID())
	}
	src.OCI.Repository = registry.Host() + "/plain"
	_, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: src})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "plain:v1: kustomize is for a layer that is an archive")
}
