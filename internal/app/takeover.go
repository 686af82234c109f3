package app

import (
	"context"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	core "github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/takeover"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/takeover"
)

// TakeoverOptions select a ClusterResourceSet and what takes its place.
type TakeoverOptions struct {
	// Namespace and ClusterResourceSet are those of the ClusterResourceSet.
	Namespace, ClusterResourceSet string
	// Name of the Bundle and of the ClusterBundleSet. Default: ClusterResourceSet.
	Name string
	// Version of the release.
	Version string
	// Strategy of the ClusterBundleSet. Default: that of the ClusterResourceSet.
	Strategy string
	// Apply is false to write nothing.
	Apply bool
}

// Takeover takes over a ClusterResourceSet of the management cluster that cfg is of. The
// YAML goes to out, and what would happen to report.
func Takeover(ctx context.Context, cfg *rest.Config, o TakeoverOptions, out, report io.Writer) error {
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	if err := addonsv1.AddToScheme(scheme); err != nil {
		return err
	}
	management, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	return takeover.Run(ctx, takeover.Config{
		Client: management, Connect: connectTo(scheme), Namespace: o.Namespace, Name: o.ClusterResourceSet,
		Options: core.Options{Name: o.Name, Version: o.Version, Strategy: v1alpha1.Strategy(o.Strategy)},
		Apply:   o.Apply, Out: out, Report: report,
	})
}

// connectTo returns a function that makes a client of what is safe of a kubeconfig, which
// is of the same Secrets as those that the manager uses.
func connectTo(scheme *runtime.Scheme) func([]byte) (client.Client, error) {
	return func(kubeconfig []byte) (client.Client, error) {
		cfg, err := capi.ConfigOf(kubeconfig)
		if err != nil {
			return nil, err
		}
		cfg.QPS = -1 // Each object takes two requests, one after the other.
		return client.New(cfg, client.Options{Scheme: scheme})
	}
}
