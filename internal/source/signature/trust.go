//go:build !no_sigstore

package signature

import (
	"errors"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// newTrust returns what decides by a policy, or an error if that cannot be used.
func newTrust(p Policy) (trust, error) {
	switch {
	case len(p.Key) > 0 && len(p.Identities) > 0:
		return nil, errors.New("a policy has a key or identities, not both")
	case len(p.Key) > 0:
		keys, err := parseKeys(p.Key)
		return keyTrust{keys: keys, from: p.KeyFrom}, fault.Wrap("public key"+of(p.KeyFrom), err)
	case len(p.Identities) > 0:
		return newIdentityTrust(p)
	}
	return nil, errors.New("a policy needs a key or identities")
}
