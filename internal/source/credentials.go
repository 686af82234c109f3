package source

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
)

// credentials reads the Secrets that a source names for a server. Its host is the
// address up to the first slash.
func (r *Resolver) credentials(
	ctx context.Context, namespace, address string, secretRef, caRef v1alpha1.LocalReference,
) (oci.Credentials, error) {
	secret, err := r.optionalSecret(ctx, namespace, secretRef)
	if err != nil {
		return oci.Credentials{}, err
	}
	host, _, _ := strings.Cut(address, "/")
	creds, err := oci.CredentialsFrom(host, string(secret.Type), secret.Data, nil)
	if err != nil {
		return oci.Credentials{}, fault.Wrap("Secret "+secretRef.Name, err)
	}
	creds.Secret = secretRef.Name
	if creds.RootCAs != nil {
		creds.RootCAsSecret = secretRef.Name
	}
	if caRef.Name == "" {
		return creds, nil
	}
	authorities, err := r.optionalSecret(ctx, namespace, caRef)
	if err != nil {
		return oci.Credentials{}, err
	}
	trusted, err := oci.CredentialsFrom(host, "", nil, authorities.Data)
	creds.RootCAs, creds.RootCAsSecret = trusted.RootCAs, caRef.Name
	return creds, fault.Wrap("Secret "+caRef.Name, err)
}

// optionalSecret reads a Secret if one is named; without a name it returns an empty one.
func (r *Resolver) optionalSecret(
	ctx context.Context, namespace string, ref v1alpha1.LocalReference,
) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	if ref.Name == "" {
		return secret, nil
	}
	err := r.read(ctx, namespace, ref.Name, secret)
	if secret.Data == nil {
		secret.Data = map[string][]byte{} // that of a Secret that is not named is nil
	}
	return secret, fault.Wrap("Secret "+ref.Name, err)
}
