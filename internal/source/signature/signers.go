package signature

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Bounds of a file of signers.
const (
	maxSignersFile = 1 << 20
	maxSigners     = 64
	maxKeyFiles    = 16
)

// Signers are whom the operator of a manager trusts. They are not the choice of who
// writes a Bundle.
type Signers struct {
	entries []signer
}

// signer is whom the operator trusts with some repositories and namespaces.
type signer struct {
	Repositories, Namespaces []string
	Policy                   Policy
}

// signerForm is a signer as it is written.
type signerForm struct {
	Repositories    []string   `json:"repositories"`
	Namespaces      []string   `json:"namespaces"`
	Keys            string     `json:"keys"`
	KeyFiles        []string   `json:"keyFiles"`
	Identities      []Identity `json:"identities"`
	TrustedRootFile string     `json:"trustedRootFile"`
}

// ReadSigners returns the signers of a file of this form:
//
//	signers:
//	- repositories: [ghcr.io/example]   # and those below; without: all
//	  namespaces: [team-a]              # of Bundles; without: all
//	  keys: |                           # public keys in PEM,
//	    -----BEGIN PUBLIC KEY-----
//	  keyFiles: [cosign.pub]            # also in files
//	- identities: [{issuer: https://accounts.example.com, subject: release@example.com}]
//	  trustedRootFile: trusted_root.json
//
// Each has keys or identities, as a Policy has. read returns a file that a signer
// names. A file of no signer, of more than 64, of an unknown field, and one whose
// keys, identities or trusted root cannot be used are errors.
func ReadSigners(content []byte, read func(name string) ([]byte, error)) (*Signers, error) {
	var parsed struct {
		Signers []signerForm `json:"signers"`
	}
	if err := yaml.UnmarshalStrict(content, &parsed); err != nil {
		// The error may quote the content, which may hold a key that is not public.
		return nil, errors.New("is not YAML of the form that is documented")
	}
	if n := len(parsed.Signers); n < 1 || n > maxSigners {
		return nil, fmt.Errorf("%d signers are not 1 to %d", n, maxSigners)
	}
	signers := &Signers{}
	for i, form := range parsed.Signers {
		name := fmt.Sprintf("signers[%d]", i)
		made, err := form.signer("--trusted-signers "+name, read)
		if err != nil {
			return nil, fault.Wrap(name, err)
		}
		signers.entries = append(signers.entries, made)
	}
	return signers, nil
}

// signer reads the files that a signer names and checks that it can be used.
func (f signerForm) signer(from string, read func(name string) ([]byte, error)) (signer, error) {
	made := signer{Repositories: f.Repositories, Namespaces: f.Namespaces, Policy: Policy{
		Key: []byte(f.Keys), KeyFrom: from, Identities: f.Identities, TrustedRootFrom: from,
	}}
	for _, prefix := range f.Repositories {
		if prefix == "" || strings.HasSuffix(prefix, "/") || strings.Contains(prefix, "://") {
			return signer{}, fmt.Errorf("the repository %q is not of the form host or host/path", text.Line(prefix, maxText))
		}
	}
	if len(f.KeyFiles) > maxKeyFiles {
		return signer{}, tooLarge("keyFiles", len(f.KeyFiles), maxKeyFiles)
	}
	for _, name := range f.KeyFiles {
		key, err := read(name)
		if err != nil {
			return signer{}, err
		}
		made.Policy.Key = append(append(made.Policy.Key, '\n'), key...)
	}
	if f.TrustedRootFile != "" {
		root, err := read(f.TrustedRootFile)
		if err != nil {
			return signer{}, err
		}
		made.Policy.TrustedRoot = root
	}
	_, err := newTrust(made.Policy)
	return made, err
}

// For returns the policies of which a signature of an artifact in repository has to
// satisfy any, where a Bundle in namespace names it. There may be none.
func (s *Signers) For(namespace, repository string) []Policy {
	var policies []Policy
	for _, entry := range s.entries {
		if entry.isFor(namespace, repository) {
			policies = append(policies, entry.Policy)
		}
	}
	return policies
}

func (s signer) isFor(namespace, repository string) bool {
	below := func(prefix string) bool { return repository == prefix || strings.HasPrefix(repository, prefix+"/") }
	return (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace)) &&
		(len(s.Repositories) == 0 || slices.ContainsFunc(s.Repositories, below))
}

// digest identifies who is trusted with what.
func (s *Signers) digest() digest.Digest {
	form, _ := json.Marshal(s.entries) // it has nothing that JSON cannot hold
	return digest.FromBytes(form)
}
