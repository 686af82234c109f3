package source

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
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
	creds, err := oci.CredentialsFrom(host, string(secret.Type), secret.Data)
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
	creds.RootCAs, err = r.authorities(ctx, namespace, caRef)
	creds.RootCAsSecret = caRef.Name
	return creds, err
}

// access reads the Secrets that a source names for a web server.
func (r *Resolver) access(
	ctx context.Context, namespace string, secretRef, caRef v1alpha1.LocalReference,
) (httpclient.Access, error) {
	secret, err := r.optionalSecret(ctx, namespace, secretRef)
	if err != nil {
		return httpclient.Access{}, err
	}
	access, err := httpclient.AccessFrom(secret.Data)
	if err == nil && secretRef.Name != "" && access.IsEmpty() {
		err = fault.Stallf(v1alpha1.ReferenceInvalidReason, "it has none of the keys %s, %s, %s and %s",
			httpclient.UsernameKey, httpclient.TokenKey, httpclient.CertificateKey, httpclient.AuthoritiesKey)
	}
	if err != nil {
		return httpclient.Access{}, fault.Wrap("Secret "+secretRef.Name, err)
	}
	access.From, access.CAsFrom = "Secret "+secretRef.Name, "Secret "+secretRef.Name
	if caRef.Name == "" {
		return access, nil
	}
	access.CAsFrom = "Secret " + caRef.Name
	access.RootCAs, err = r.authorities(ctx, namespace, caRef)
	return access, err
}

// authorities reads the Secret of a caRef.
func (r *Resolver) authorities(
	ctx context.Context, namespace string, caRef v1alpha1.LocalReference,
) (*x509.CertPool, error) {
	secret, err := r.optionalSecret(ctx, namespace, caRef)
	if err != nil {
		return nil, err
	}
	roots, err := httpclient.RootCAsFrom(secret.Data)
	return roots, fault.Wrap("Secret "+caRef.Name, err)
}

// deniedTypes are the types of Secrets that no source may name: what is in them is
// for API servers, and whoever writes a Bundle would have it sent elsewhere.
var deniedTypes = []corev1.SecretType{
	corev1.SecretTypeServiceAccountToken, corev1.SecretTypeBootstrapToken, clusterSecretType,
}

// clusterSecretType is the type of the Secrets of Cluster API: kubeconfigs,
// authorities and bootstrap data.
// It is sigs.k8s.io/cluster-api/api/core/v1beta2.ClusterSecretType.
const clusterSecretType corev1.SecretType = "cluster.x-k8s.io/secret" //nolint:gosec // a type

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
	if err == nil && slices.Contains(deniedTypes, secret.Type) {
		err = fault.Stallf(v1alpha1.ReferenceInvalidReason, "it is of the type %s, which a source may not name", secret.Type)
	}
	return secret, fault.Wrap("Secret "+ref.Name, err)
}
