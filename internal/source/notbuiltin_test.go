//go:build no_helm

package source_test

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

func TestAChartSaysThatHelmIsNotBuiltIn(t *testing.T) {
	t.Parallel()
	_, err := newResolver(t).Resolve(t.Context(), source.Query{Namespace: "team", Source: v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: "https://charts.example.com/web", Version: "1.2.3", ReleaseName: "web", Namespace: "shop",
	}}})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "chart https://charts.example.com/web", "no_helm")
}
