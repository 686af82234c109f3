package source

import (
	"errors"
	"net/url"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// checkPlain returns an error for a source that is asked for without TLS, unless its
// digest is all that decides what it is and nothing secret is sent: whoever is on the way
// chooses what a tag or the index of a chart repository stands for.
func checkPlain(src v1alpha1.Source) error {
	plain, pinned, secret := withoutTLS(src)
	switch {
	case plain && !pinned:
		return fault.Stall(v1alpha1.SourceInvalidReason,
			errors.New("without TLS a source needs its digest: anybody on the way could choose what a tag or a version is"))
	case plain && secret:
		return fault.Stall(v1alpha1.SourceInvalidReason, errors.New("secretRef, caRef and credentials in the url need TLS"))
	}
	return nil
}

// withoutTLS returns whether a source is asked for without TLS, whether it has a digest,
// and whether it has something secret.
func withoutTLS(src v1alpha1.Source) (plain, pinned, secret bool) {
	switch {
	case src.OCI != nil:
		return isTrue(src.OCI.Insecure), src.OCI.Digest != "", src.OCI.SecretRef.Name != "" || src.OCI.CARef.Name != ""
	case src.Helm != nil:
		at, err := url.Parse(src.Helm.Chart)
		if err != nil {
			return false, false, false // it is refused where it is used
		}
		plain = at.Scheme == "http" || strings.HasPrefix(src.Helm.Chart, ociScheme) && isTrue(src.Helm.Insecure)
		return plain, src.Helm.Digest != "", src.Helm.SecretRef.Name != "" || src.Helm.CARef.Name != "" || at.User != nil
	}
	return false, false, false // files are always pinned, and package fetch sends nothing secret
}

func isTrue(b *bool) bool { return b != nil && *b }
