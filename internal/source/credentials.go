package source

import (
	"context"
	"crypto/x509"
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
	secret, err := r.serverSecret(ctx, namespace, secretRef)
	if err != nil {
		return oci.Credentials{}, err
	}
	host, _, _ := strings.Cut(address, "/")
	creds, err := oci.CredentialsFrom(host, string(secret.Type), secret.Data)
	if err == nil && creds.NamesNoHost {
		err = checkHost(secret, host)
	}
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

// access reads the Secrets that a source names for a web server, host.
func (r *Resolver) access(
	ctx context.Context, namespace, host string, secretRef, caRef v1alpha1.LocalReference,
) (httpclient.Access, error) {
	secret, err := r.serverSecret(ctx, namespace, secretRef)
	if err != nil {
		return httpclient.Access{}, err
	}
	access, err := httpclient.AccessFrom(secret.Data)
	if err == nil && secretRef.Name != "" && access.IsEmpty() {
		err = fault.Stallf(v1alpha1.ReferenceInvalidReason, "it has none of the keys %s, %s, %s and %s",
			httpclient.UsernameKey, httpclient.TokenKey, httpclient.CertificateKey, httpclient.AuthoritiesKey)
	}
	if err == nil && access.HasCredentials() {
		err = checkHost(secret, host)
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
	secret, err := r.serverSecret(ctx, namespace, caRef)
	if err != nil {
		return nil, err
	}
	roots, err := httpclient.RootCAsFrom(secret.Data)
	return roots, fault.Wrap("Secret "+caRef.Name, err)
}

// serverSecret reads a Secret for a server if one is named; without a name it returns an
// empty one.
func (r *Resolver) serverSecret(
	ctx context.Context, namespace string, ref v1alpha1.LocalReference,
) (*corev1.Secret, error) {
	if ref.Name == "" {
		return &corev1.Secret{}, nil
	}
	secret, err := r.namedSecret(ctx, namespace, ref.Name, r.current.Load().SecretTypes.Servers)
	return secret, fault.Wrap("Secret "+ref.Name, err)
}
