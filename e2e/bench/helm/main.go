// Command helm is Helm in the benchmark: the library of Helm 4, asked as the Cluster API
// Add-on Provider for Helm asks that of Helm 3 (internal/helm_client.go of
// cluster-api-addon-provider-helm), with the same defaults.
//
// Not there is what surrounds it in life: the download of the chart, and the status of the
// HelmChartProxy and of the HelmReleaseProxy. This is in Helm's favour.
package main

import (
	"io"
	"log/slog"

	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/peer"
)

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	klog.SetOutput(io.Discard)
	klog.LogToStderr(false)
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	peer.Main("helm", pass)
}
