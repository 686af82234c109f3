package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
)

// discoveryInterval is how often discovery is read while a kind is missing: a few hundred
// bytes to some kilobytes.
const discoveryInterval = 50 * time.Millisecond

// awaitServed returns once discovery lists all the resources. It reads each group version
// until it is complete, and then no more.
func awaitServed(ctx context.Context, c discovery.DiscoveryInterface, missing map[schema.GroupVersion][]string) error {
	for gv, resources := range missing {
		if err := wait.PollUntilContextCancel(ctx, discoveryInterval, true, func(context.Context) (bool, error) {
			return isServed(c, gv, resources)
		}); err != nil {
			return fmt.Errorf("%s is not served: %w", gv, err)
		}
	}
	return nil
}

func isServed(c discovery.DiscoveryInterface, gv schema.GroupVersion, resources []string) (bool, error) {
	list, err := c.ServerResourcesForGroupVersion(gv.String())
	if apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, resource := range resources {
		if !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == resource }) {
			return false, nil
		}
	}
	return true, nil
}
