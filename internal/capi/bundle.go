package capi

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// GetBundle reads a Bundle. One that does not exist is a fault.Wait.
func GetBundle(ctx context.Context, reader client.Reader, key types.NamespacedName) (*v1alpha1.Bundle, error) {
	bundle := &v1alpha1.Bundle{}
	err := reader.Get(ctx, key, bundle)
	if apierrors.IsNotFound(err) {
		return nil, fault.Wait(v1alpha1.BundleNotFoundReason, 0,
			fmt.Errorf("Bundle %s does not exist in this namespace", key.Name))
	}
	return bundle, err
}
