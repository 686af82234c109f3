package source

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// clusterSecretType is the type of the Secrets of Cluster API: kubeconfigs,
// authorities and bootstrap data.
// It is sigs.k8s.io/cluster-api/api/core/v1beta2.ClusterSecretType.
const clusterSecretType corev1.SecretType = "cluster.x-k8s.io/secret" //nolint:gosec // a type

// hostKey is the key of a Secret with the servers that its login is for.
const hostKey = "host"

// neverTypes are the types of Secrets that no source may name, not even with the
// label: what is in them is for API servers.
var neverTypes = []corev1.SecretType{
	corev1.SecretTypeServiceAccountToken, corev1.SecretTypeBootstrapToken, clusterSecretType,
}

// SecretTypes are the types of Secrets that a source may name without the label, by what
// they are read for. A manager reads Secrets with its own permissions, and whoever writes a
// Bundle need not have them: so only what is made for the purpose is read.
type SecretTypes struct {
	// Servers are for logins, client certificates and authorities of servers.
	Servers []corev1.SecretType
	// Values are for the values of charts.
	Values []corev1.SecretType
	// PublicKeys are for the public keys of signatures; nothing else of them is read.
	PublicKeys []corev1.SecretType
}

// DefaultSecretTypes returns docker configs, basic-auth and TLS for servers, those of
// ClusterResourceSet for values, and Opaque, which cosign writes, for public keys.
func DefaultSecretTypes() SecretTypes {
	return SecretTypes{
		Servers:    []corev1.SecretType{corev1.SecretTypeDockerConfigJson, corev1.SecretTypeBasicAuth, corev1.SecretTypeTLS},
		Values:     []corev1.SecretType{resourceSetType},
		PublicKeys: []corev1.SecretType{corev1.SecretTypeOpaque},
	}
}

// Validate returns an error for a type that no source may name.
func (t SecretTypes) Validate() error {
	for _, given := range slices.Concat(t.Servers, t.Values, t.PublicKeys) {
		if given == "" || slices.Contains(neverTypes, given) {
			return fmt.Errorf("a source may not name Secrets of the type %q", text.Line(string(given), maxTypeText))
		}
	}
	return nil
}

// maxTypeText bounds a type in a message.
const maxTypeText = 64

// namedSecret reads a Secret that a source names, which has one of the types or the
// label v1alpha1.SourceLabel.
func (r *Resolver) namedSecret(
	ctx context.Context, namespace, name string, types []corev1.SecretType,
) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	if err := r.read(ctx, namespace, name, secret); err != nil {
		return nil, err
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{} // that of a Secret that is not named is nil
	}
	if secret.Type == "" {
		secret.Type = corev1.SecretTypeOpaque // as an API server defaults it
	}
	return secret, checkType(secret, types)
}

func checkType(secret *corev1.Secret, types []corev1.SecretType) error {
	switch {
	case slices.Contains(neverTypes, secret.Type):
		return fault.Stallf(v1alpha1.ReferenceInvalidReason, "it is of the type %s, which a source may not name", secret.Type)
	case slices.Contains(types, secret.Type), secret.Labels[v1alpha1.SourceLabel] == "true":
		return nil
	}
	return fault.Stallf(v1alpha1.ReferenceInvalidReason,
		"it is of the type %s and not labelled for sources: kubectl label secret -n %s %s %s=true",
		secret.Type, secret.Namespace, secret.Name, v1alpha1.SourceLabel)
}

// checkHost returns an error unless a Secret says that its login is for host, which may
// have a port. Whoever writes a Bundle need not be who the login was given to.
func checkHost(secret *corev1.Secret, host string) error {
	named := string(secret.Data[hostKey]) + "," + secret.Annotations[v1alpha1.HostAnnotation]
	asked := &url.URL{Scheme: "https", Host: host}
	isAsked := func(name string) bool {
		return httpclient.SameOrigin(asked, &url.URL{Scheme: "https", Host: strings.TrimSpace(name)})
	}
	if host != "" && slices.ContainsFunc(strings.Split(named, ","), isAsked) {
		return nil
	}
	return fault.Stallf(v1alpha1.ReferenceInvalidReason, "it does not say that its login is for %s: name that in its key %s, "+
		"or kubectl annotate secret -n %s %s %s=%s", host, hostKey, secret.Namespace, secret.Name, v1alpha1.HostAnnotation, host)
}
