package release

import (
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// WithVerifyPolicy returns a release of a Bundle with the policy for signatures of the
// Bundle in every source that has none of its own. It is what is fetched; the
// release that is passed is not changed.
//
// With a policy, a source that is not an artifact of a registry is a
// fault.Stall with SignatureMissingReason, which names its phase: nothing
// else can be signed.
func WithVerifyPolicy(bundle v1alpha1.BundleSpec, r v1alpha1.Release) (v1alpha1.Release, error) {
	if bundle.Verify == nil {
		return r, nil
	}
	verified := *r.DeepCopy()
	for _, phase := range verified.Phases {
		for i, src := range phase.Sources {
			switch {
			case src.OCI != nil && src.OCI.Verify == nil:
				src.OCI.Verify = bundle.Verify
			case src.OCI != nil:
			case src.Helm == nil || !strings.HasPrefix(src.Helm.Chart, "oci://"):
				return v1alpha1.Release{}, fault.Stallf(v1alpha1.SignatureMissingReason,
					"phase %s: sources[%d]: the Bundle's verify asks for a signature, "+
						"and only artifacts of a registry can be signed", phase.Name, i)
			case src.Helm.Verify == nil:
				src.Helm.Verify = bundle.Verify
			}
		}
	}
	return verified, nil
}
