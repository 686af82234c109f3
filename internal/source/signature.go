package source

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

const (
	// verifiedKind is the kind of a file with who signed an artifact, under the
	// identity of the artifact and the policy that it satisfied.
	verifiedKind = "verified-v1"

	// publicKeySuffix ends the keys of a Secret that hold public keys.
	publicKeySuffix = ".pub"

	// trustedRootKey is the key of a ConfigMap that holds a trusted root.
	trustedRootKey = "trusted_root.json"
)

// unsigned returns an error for a source that must be signed and is not from a
// registry.
func (r *Resolver) unsigned(src v1alpha1.Source) error {
	asked := ""
	switch {
	case src.OCI != nil, src.Helm != nil && strings.HasPrefix(src.Helm.Chart, ociScheme):
		return nil
	case src.Helm != nil && src.Helm.Verify != nil:
		asked = "verify asks for a signature"
	case r.current.Load().Signers != nil:
		asked = requiredText
	default:
		return nil
	}
	return fault.Stallf(v1alpha1.SignatureMissingReason,
		"%s: %s, and only artifacts of a registry can be signed", r.Describe(src), asked)
}

// requiredText explains why a source must be signed, whatever it asks for.
const requiredText = "the manager's configuration asks for a signature"

// Trust identifies whom the manager trusts. What was resolved for others has to be
// resolved again.
func (r *Resolver) Trust() string {
	signers := r.current.Load().Signers
	if signers == nil {
		return ""
	}
	return signers.Version()
}

// verified returns who signed the artifact with digest d, as the manager and the
// source require it; empty where neither does. What was found once is kept.
func (a artifact) verified(ctx context.Context, d digest.Digest, creds oci.Credentials) (string, error) {
	required, err := a.required(ctx)
	if err != nil {
		return "", err
	}
	var signers []string
	for _, policies := range required {
		by, err := a.verifiedBy(ctx, d, policies, creds)
		if err != nil {
			return "", err
		}
		if !slices.Contains(signers, by) {
			signers = append(signers, by)
		}
	}
	return strings.Join(signers, " and "), nil
}

// required returns the policies that the artifact has to satisfy: one of those that
// the manager has for it, since who writes a Bundle may not choose whom to trust, and
// the source's own.
func (a artifact) required(ctx context.Context) ([][]signature.Policy, error) {
	var required [][]signature.Policy
	if trusted := a.resolver.current.Load().Signers; trusted != nil {
		policies := trusted.For(a.namespace, a.ref.Repository)
		if len(policies) == 0 {
			return nil, fault.Stallf(v1alpha1.SignatureMissingReason,
				"%s: %s, and signatures.signers has nobody for this repository and namespace", a.ref, requiredText)
		}
		required = append(required, policies)
	}
	if a.verify != nil {
		policy, err := a.resolver.policy(ctx, a.namespace, *a.verify)
		if err != nil {
			return nil, fault.Wrap(a.ref.String()+": verify", err)
		}
		required = append(required, []signature.Policy{policy})
	}
	return required, nil
}

// verifiedBy returns who signed the artifact with digest d, of whom one of the
// policies trusts.
func (a artifact) verifiedBy(
	ctx context.Context, d digest.Digest, policies []signature.Policy, creds oci.Credentials,
) (string, error) {
	identity, err := policyIdentity(d, policies)
	if err != nil {
		return "", err
	}
	if by, err := a.resolver.recall(verifiedKind, identity); err == nil {
		return by, nil
	}
	verifier, err := signature.NewVerifier(policies...)
	if err != nil {
		return "", fault.Wrap(a.ref.String()+": verify", err)
	}
	registry := signatures{registries: a.resolver.Registries, insecure: a.ref.Insecure, creds: creds}
	result, err := verifier.Verify(ctx, registry, a.ref.Repository, d)
	if err != nil {
		return "", err
	}
	return result.By, a.resolver.remember(ctx, verifiedKind, identity, result.By)
}

// policy reads the keys and the trusted root that a policy names.
func (r *Resolver) policy(ctx context.Context, namespace string, v v1alpha1.Verify) (signature.Policy, error) {
	policy := signature.Policy{Identities: make([]signature.Identity, len(v.Identities))}
	for i, identity := range v.Identities {
		policy.Identities[i] = signature.Identity(identity)
	}
	var err error
	if v.SecretRef.Name != "" {
		policy.Key, policy.KeyFrom, err = r.publicKeys(ctx, namespace, v.SecretRef.Name)
		if err != nil {
			return signature.Policy{}, fault.Wrap("Secret "+v.SecretRef.Name, err)
		}
	}
	if v.TrustedRootRef.Name != "" {
		policy.TrustedRootFrom = "ConfigMap " + v.TrustedRootRef.Name
		policy.TrustedRoot, err = r.trustedRoot(ctx, namespace, v.TrustedRootRef.Name)
		if err != nil {
			return signature.Policy{}, fault.Wrap("ConfigMap "+v.TrustedRootRef.Name, err)
		}
	}
	return policy, nil
}

// publicKeys returns the public keys of a Secret, in the order of their names, and
// what they are called in messages.
func (r *Resolver) publicKeys(ctx context.Context, namespace, name string) (keys []byte, from string, err error) {
	secret, err := r.namedSecret(ctx, namespace, name, r.current.Load().SecretTypes.PublicKeys)
	if err != nil {
		return nil, "", err
	}
	var names []string
	var found [][]byte
	for _, key := range slices.Sorted(maps.Keys(secret.Data)) {
		if strings.HasSuffix(key, publicKeySuffix) {
			names, found = append(names, key), append(found, secret.Data[key])
		}
	}
	text := bytes.Join(found, []byte("\n"))
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, "", notFound("it has no public key under a key that ends in %s", publicKeySuffix)
	}
	return text, fmt.Sprintf("Secret %s (%s)", name, strings.Join(names, ", ")), nil
}

// trustedRoot returns the trusted root in a ConfigMap.
func (r *Resolver) trustedRoot(ctx context.Context, namespace, name string) ([]byte, error) {
	configMap := &corev1.ConfigMap{}
	if err := r.read(ctx, namespace, name, configMap); err != nil {
		return nil, err
	}
	text := cmp.Or(configMap.Data[trustedRootKey], string(configMap.BinaryData[trustedRootKey]))
	if text == "" {
		return nil, notFound("it has no key %q", trustedRootKey)
	}
	return []byte(text), nil
}

// policyIdentity returns the identity of an artifact and policies of which it
// satisfies one.
func policyIdentity(d digest.Digest, policies []signature.Policy) (digest.Digest, error) {
	form, err := json.Marshal(struct {
		Artifact digest.Digest
		Policies []signature.Policy
	}{d, policies})
	return digest.FromBytes(form), err
}

// signatures reads what a registry stores beside an artifact.
type signatures struct {
	registries *oci.Client
	insecure   bool
	creds      oci.Credentials
}

var _ signature.Registry = signatures{}

// Referrers returns what refers to an artifact.
func (s signatures) Referrers(
	ctx context.Context, repository string, d digest.Digest, artifactType string,
) ([]ocispec.Descriptor, error) {
	return s.registries.Referrers(ctx, s.at(repository), d, artifactType, s.creds)
}

// Manifest returns a manifest by its tag or its digest.
func (s signatures) Manifest(ctx context.Context, repository, ref string) ([]byte, error) {
	at := s.at(repository)
	if digest.Digest(ref).Validate() == nil {
		at.Digest = ref
	} else {
		at.Tag = ref
	}
	return s.registries.RawManifest(ctx, at, s.creds)
}

// Blob returns a small blob.
func (s signatures) Blob(ctx context.Context, repository string, d digest.Digest, limit int64) ([]byte, error) {
	return s.registries.SmallBlob(ctx, s.at(repository), d, limit, s.creds)
}

func (s signatures) at(repository string) oci.Reference {
	return oci.Reference{Repository: repository, Insecure: s.insecure}
}
