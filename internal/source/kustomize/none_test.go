//go:build no_kustomize

package kustomize

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestAKustomizationSaysThatKustomizeIsNotBuiltIn(t *testing.T) {
	t.Parallel()
	_, err := Build(Files{}, ".", DefaultOutput)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "no_kustomize")
}
