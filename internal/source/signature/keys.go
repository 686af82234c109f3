//go:build !no_sigstore

package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	sigalg "github.com/sigstore/sigstore/pkg/signature"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Sizes of RSA keys. Larger ones cost too much to verify with.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// publicKey is a key and the ways in which cosign signs with its kind.
type publicKey struct {
	// name is "key " and the digest of the key in DER, which is stable over the
	// forms of PEM.
	name      string
	verifiers []*verify.Verifier
}

// keyTrust are keys, of which any may sign.
type keyTrust struct {
	keys []publicKey
	// from names where they are from, for messages; it may be empty.
	from string
}

var _ trust = keyTrust{}

// verify returns the name of the key that made the signature.
func (t keyTrust) verify(s *signed) (string, error) {
	if leaf := s.content.Certificate(); leaf != nil {
		return "", invalidf("signed with a certificate for %s, and not by %s", certificateName(leaf), t)
	}
	for _, key := range t.keys {
		for _, verifier := range key.verifiers {
			policy := verify.NewPolicy(s.artifact(), verify.WithKey())
			if _, err := verifier.Verify(s.entity, policy); err == nil {
				return key.name, nil
			}
		}
	}
	return "", invalidf("not signed by %s", t)
}

// String returns the names of the keys, and where they are from.
func (t keyTrust) String() string {
	names := make([]string, len(t.keys))
	for i, key := range t.keys {
		names[i] = key.name
	}
	return strings.Join(names, " or ") + of(t.from)
}

// of names where something is from, if that is known.
func of(from string) string {
	if from == "" {
		return ""
	}
	return " of " + from
}

func parseKeys(text []byte) ([]publicKey, error) {
	if len(text) > maxKeyBytes {
		return nil, tooLarge("bytes", len(text), maxKeyBytes)
	}
	var keys []publicKey
	for block, rest := pem.Decode(text); ; block, rest = pem.Decode(rest) {
		switch {
		case block == nil && len(keys) == 0:
			return nil, errors.New("holds no PEM")
		case block == nil && len(bytes.TrimSpace(rest)) > 0:
			return nil, fmt.Errorf("what follows key %d is not PEM", len(keys))
		case block == nil:
			return keys, nil
		case len(keys) == maxKeys:
			return nil, tooLarge("keys", maxKeys+1, maxKeys)
		}
		key, err := parseKey(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
}

// parseKey returns the key in block. What does not parse is not quoted: somebody
// may have given us a private key.
func parseKey(block *pem.Block) (publicKey, error) {
	key, err := cryptoutils.UnmarshalPEMToPublicKey(pem.EncodeToMemory(block))
	if err != nil {
		return publicKey{}, fmt.Errorf("%q is not a public key that can be read", text.Line(block.Type, maxText))
	}
	if err := checkKey(key); err != nil {
		return publicKey{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return publicKey{}, err
	}
	verifiers, err := keyVerifiers(key)
	return publicKey{name: "key " + digest.FromBytes(der).String(), verifiers: verifiers}, err
}

// checkKey returns an error for keys that cosign does not make or accept.
func checkKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("RSA of %d bits is not accepted, %d to %d are", bits, minRSABits, maxRSABits)
		}
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, k.Curve) {
			return fmt.Errorf("the curve %s is not accepted, P-256, P-384 and P-521 are", k.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		return errors.New("only ECDSA, Ed25519 and RSA are accepted")
	}
	return nil
}

// keyVerifiers returns what verifies signatures of key. cosign hashes with
// SHA-256 for any key; bundles may use the hash of the key's curve.
func keyVerifiers(key crypto.PublicKey) ([]*verify.Verifier, error) {
	hashes := []crypto.Hash{crypto.SHA256}
	if k, ok := key.(*ecdsa.PublicKey); ok {
		switch k.Curve {
		case elliptic.P384():
			hashes = append(hashes, crypto.SHA384)
		case elliptic.P521():
			hashes = append(hashes, crypto.SHA512)
		}
	}
	verifiers := make([]*verify.Verifier, 0, len(hashes))
	for _, hash := range hashes {
		algorithm, err := sigalg.LoadVerifier(key, hash)
		if err != nil {
			return nil, err
		}
		material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
			return root.NewExpiringKey(algorithm, time.Time{}, time.Time{}), nil
		})
		verifier, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps())
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, verifier)
	}
	return verifiers, nil
}
