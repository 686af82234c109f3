package configuration

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	configv1 "github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/config/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

const (
	// maxBytes bounds the file: a ConfigMap has no more.
	maxBytes = 1 << 20
	// maxPrefixes bounds each list of addresses, which are looked through for each request.
	maxPrefixes = 256
	// maxShare and maxRendering bound what is done at once.
	maxShare, maxRendering = 1024, 16
	// maxMessage bounds the text of an error in bytes.
	maxMessage = 1024
)

// Read returns the settings of a file, or an error that names everything that is wrong with
// it, without a key that it may hold.
func Read(content []byte) (Settings, error) {
	file, err := decode(content)
	if err != nil {
		return Settings{}, errors.New(text.Line(err.Error(), maxMessage))
	}
	r := &reading{Settings: Defaults()}
	r.addresses(file.Addresses)
	r.mirrors(file.Registries)
	r.signers(file.Signatures)
	r.secretTypes(file.SecretTypes)
	r.limits(file.Limits)
	r.concurrency(file.Concurrency)
	if len(r.errs) > 0 {
		return Settings{}, errors.New(text.Line(errors.Join(r.errs...).Error(), maxMessage))
	}
	return r.Settings, nil
}

// decode decodes one document, and fails at an unknown or duplicated field.
func decode(content []byte) (*configv1.ManagerConfiguration, error) {
	switch {
	case len(content) > maxBytes:
		return nil, fmt.Errorf("larger than %d bytes", maxBytes)
	case len(bytes.TrimSpace(content)) == 0:
		return nil, errors.New("the file is empty")
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	first, err := documents.Read()
	if err != nil {
		return nil, err
	}
	if _, err := documents.Read(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(configv1.GroupVersion, &configv1.ManagerConfiguration{})
	decoded, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode(first, nil, nil)
	if runtime.IsMissingKind(err) || runtime.IsMissingVersion(err) { // whose text repeats the file
		return nil, fmt.Errorf("it needs apiVersion: %s and kind: ManagerConfiguration", configv1.GroupVersion)
	}
	if err != nil {
		return nil, err
	}
	return decoded.(*configv1.ManagerConfiguration), nil
}

// reading is a file of which some has been read.
type reading struct {
	Settings

	errs []error
}

// wrong records what is wrong with a field.
func (r *reading) wrong(field string, err error) {
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", field, err))
	}
}

func (r *reading) addresses(given configv1.Addresses) {
	r.Denied = r.prefixes("addresses.denied", given.Denied)
	r.Allowed = r.prefixes("addresses.allowed", given.Allowed)
	r.TokenServers = r.prefixes("addresses.tokenServers", given.TokenServers)
}

func (r *reading) prefixes(field string, given []string) []netip.Prefix {
	if len(given) > maxPrefixes {
		r.wrong(field, fmt.Errorf("%d are more than %d", len(given), maxPrefixes))
		return nil
	}
	prefixes := make([]netip.Prefix, len(given))
	for i, written := range given {
		var err error
		if prefixes[i], err = netip.ParsePrefix(written); err != nil {
			r.wrong(fmt.Sprintf("%s[%d]", field, i), fmt.Errorf("%s is not of the form 10.0.0.0/8 or fd00::/8", text.Quote(written, 64)))
		}
	}
	return prefixes
}

func (r *reading) mirrors(given configv1.Registries) {
	for _, mirror := range given.Mirrors {
		r.Mirrors = append(r.Mirrors, oci.Mirror(mirror))
	}
	r.wrong("registries", oci.ValidateMirrors(r.Mirrors))
}

func (r *reading) signers(given configv1.Signatures) {
	if !given.Required {
		if len(given.Signers) > 0 {
			r.wrong("signatures", errors.New("signers go with required: true"))
		}
		return
	}
	entries := make([]signature.Signer, len(given.Signers))
	for i, signer := range given.Signers {
		entries[i] = signature.Signer{Repositories: signer.Repositories, Namespaces: signer.Namespaces}
		policy := &entries[i].Policy
		policy.Key, policy.TrustedRoot = []byte(signer.Keys), []byte(signer.TrustedRoot)
		for _, identity := range signer.Identities {
			policy.Identities = append(policy.Identities, signature.Identity(identity))
		}
	}
	var err error
	r.Signers, err = signature.NewSigners(entries)
	r.wrong("signatures", err)
}

func (r *reading) secretTypes(given configv1.SecretTypes) {
	set := func(to *[]corev1.SecretType, names []string) {
		if names == nil {
			return
		}
		*to = nil
		for _, name := range names {
			*to = append(*to, corev1.SecretType(name))
		}
	}
	set(&r.SecretTypes.Servers, given.Servers)
	set(&r.SecretTypes.Values, given.Values)
	set(&r.SecretTypes.PublicKeys, given.PublicKeys)
	r.wrong("secretTypes", r.SecretTypes.Validate())
}

func (r *reading) limits(given configv1.Limits) {
	if size := given.BundleSize; size != nil {
		// What a quantity holds beyond 64 bits is cut to them.
		r.BundleBytes = r.within("limits.bundleSize", size.Value(), maxBundle)
	}
	if given.CompressionRatio != nil {
		r.CompressionRatio = r.within("limits.compressionRatio", *given.CompressionRatio, maxRatio)
	}
	if given.Objects != nil {
		r.Objects = int(r.within("limits.objects", *given.Objects, maxObjects))
	}
}

// Bounds of the limits, which are far above what any bundle needs.
const (
	maxBundle  = 1 << 40
	maxRatio   = 1 << 20
	maxObjects = 1 << 20
)

func (r *reading) concurrency(given configv1.Concurrency) {
	for _, share := range []struct {
		field string
		given configv1.Share
		all   *int
		each  *int
	}{
		{"concurrency.resolving", given.Resolving, &r.Concurrency.Resolving.All, &r.Concurrency.Resolving.Each},
		{"concurrency.downloading", given.Downloading, &r.Concurrency.Downloading.All, &r.Concurrency.Downloading.Each},
		{"concurrency.indexing", given.Indexing, &r.Concurrency.Indexing.All, &r.Concurrency.Indexing.Each},
	} {
		r.number(share.field+".total", share.given.Total, maxShare, share.all)
		r.number(share.field+".perNamespace", share.given.PerNamespace, maxShare, share.each)
	}
	r.number("concurrency.rendering", given.Rendering, maxRendering, &r.Rendering)
}

// number sets what a field says, if it says something.
func (r *reading) number(field string, given *int64, most int64, to *int) {
	if given != nil {
		*to = int(r.within(field, *given, most))
	}
}

// within returns a value, which has to be from 1 to most.
func (r *reading) within(field string, value, most int64) int64 {
	if value < 1 || value > most {
		r.wrong(field, fmt.Errorf("%d is not 1 to %d", value, most))
	}
	return value
}
