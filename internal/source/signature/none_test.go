//go:build no_sigstore

package signature

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestAPolicySaysThatSigstoreIsNotBuiltIn(t *testing.T) {
	t.Parallel()
	_, err := NewVerifier(Policy{Key: []byte("any")})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ReferenceInvalidReason, "no_sigstore")
}
