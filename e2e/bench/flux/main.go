// Command flux is Flux in the benchmark: the server-side apply of kustomize-controller
// (github.com/fluxcd/pkg/ssa) with the options that the controller gives it.
//
// Not there is what surrounds it in life: the download and the packing by
// source-controller, "kustomize build", and the status of the Kustomization. This is in
// Flux's favour.
package main

import (
	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/peer"
)

func main() {
	ctrl.SetLogger(logr.Discard())
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	peer.Main("flux", (&kustomization{}).reconcile)
}
