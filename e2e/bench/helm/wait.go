package main

import (
	"time"

	"helm.sh/helm/v4/pkg/kube"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// definitions waits for CRDs and for nothing else, which is what Helm 3 does for the provider
// unless a HelmChartProxy says otherwise. Helm 4 has one setting for both: without --wait it
// waits for no CRD either, and the custom resources of a chart fail.
type definitions struct{ *kube.Client }

// GetWaiterWithOptions returns Helm's own waiter, which is asked only for CRDs.
func (d definitions) GetWaiterWithOptions(s kube.WaitStrategy, options ...kube.WaitOption) (kube.Waiter, error) {
	waiter, err := d.Client.GetWaiterWithOptions(s, options...)
	return waitForDefinitions{waiter}, err
}

var definition = apiextensionsv1.Kind("CustomResourceDefinition")

type waitForDefinitions struct{ kube.Waiter }

// Wait waits for those of the resources that are CRDs.
func (w waitForDefinitions) Wait(resources kube.ResourceList, timeout time.Duration) error {
	var crds kube.ResourceList
	for _, r := range resources {
		if r.Mapping.GroupVersionKind.GroupKind() == definition {
			crds = append(crds, r)
		}
	}
	if len(crds) == 0 {
		return nil
	}
	return w.Waiter.Wait(crds, timeout)
}
