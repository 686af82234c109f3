package main

import (
	"context"
	"errors"
	"fmt"

	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/peer"
)

const (
	releaseName = "bundle"
	namespace   = "default"
	// history is the default of the HelmChartProxy.
	history = 10
)

// pass is one of the HelmReleaseProxy: what is not there is installed, and what is of
// another version of the chart upgraded. The only file of the order is the chart, packed.
func pass(ctx context.Context, order peer.Order) ([]string, error) {
	if len(order.Files) != 1 {
		return nil, fmt.Errorf("helm takes one chart, not %d files", len(order.Files))
	}
	existing, err := installed(order.Kubeconfig)
	if err != nil {
		return nil, err
	}
	wanted, err := loader.Load(order.Files[0])
	if err != nil {
		return nil, err
	}
	switch {
	case existing == nil:
		return nil, install(ctx, order.Kubeconfig, wanted)
	case existing.Chart.Metadata.Version == wanted.Metadata.Version:
		return []string{"helm: the release has that version of the chart already, and is left alone"}, nil
	default:
		return upgrade(ctx, order.Kubeconfig, wanted)
	}
}

// installed returns the last release, or nil if there is none.
func installed(kubeconfig string) (*release.Release, error) {
	config, err := configure(kubeconfig)
	if err != nil {
		return nil, err
	}
	found, err := action.NewGet(config).Run(releaseName)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	existing, ok := found.(*release.Release)
	if !ok || existing.Chart == nil || existing.Chart.Metadata == nil {
		return nil, fmt.Errorf("helm returned a release without a chart: %T", found)
	}
	return existing, nil
}

// install waits as definitions says.
func install(ctx context.Context, kubeconfig string, wanted *chart.Chart) error {
	config, err := configure(kubeconfig)
	if err != nil {
		return err
	}
	i := action.NewInstall(config)
	i.ReleaseName, i.Namespace, i.CreateNamespace = releaseName, namespace, true
	i.WaitStrategy = kube.StatusWatcherStrategy
	_, err = i.RunWithContext(ctx, wanted, nil)
	return err
}

func upgrade(ctx context.Context, kubeconfig string, wanted *chart.Chart) ([]string, error) {
	config, err := configure(kubeconfig)
	if err != nil {
		return nil, err
	}
	u := action.NewUpgrade(config)
	u.Namespace, u.MaxHistory = namespace, history
	u.WaitStrategy = kube.StatusWatcherStrategy
	if _, err := u.RunWithContext(ctx, releaseName, wanted, nil); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("helm: an upgrade leaves out the CRDs of the chart, %d files", len(wanted.CRDObjects()))}, nil
}

// configure connects as the provider does: anew for each action. It has no rate limit of its
// own.
func configure(kubeconfig string) (*action.Configuration, error) {
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = new(kubeconfig), new(namespace)
	flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		config.QPS = -1
		return config
	}
	config := action.NewConfiguration()
	if err := config.Init(flags, namespace, "secret"); err != nil {
		return nil, err
	}
	client, ok := config.KubeClient.(*kube.Client)
	if !ok {
		return nil, fmt.Errorf("helm made a client of type %T", config.KubeClient)
	}
	config.KubeClient = definitions{client}
	return config, nil
}
