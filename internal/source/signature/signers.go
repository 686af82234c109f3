package signature

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxSigners bounds how many signers there are.
const maxSigners = 64

// Signers are whom the operator of a manager trusts. They are not the choice of who
// writes a Bundle.
type Signers struct {
	entries []Signer
}

// Signer is whom the operator trusts with some repositories and namespaces.
type Signer struct {
	// Repositories are those that it may sign for, and those below; none for all.
	Repositories []string
	// Namespaces are those of Bundles that may name what it signed; none for all.
	Namespaces []string
	// Policy says whose signatures are accepted. NewSigners names its origin.
	Policy Policy
}

// NewSigners returns the signers, or an error for none, for more than 64, and for those
// whose repositories, keys, identities or trusted root cannot be used. It does not repeat
// the keys.
func NewSigners(entries []Signer) (*Signers, error) {
	if n := len(entries); n < 1 || n > maxSigners {
		return nil, fmt.Errorf("%d signers are not 1 to %d", n, maxSigners)
	}
	signers := &Signers{entries: slices.Clone(entries)}
	for i := range signers.entries {
		name := fmt.Sprintf("signers[%d]", i)
		if err := signers.entries[i].check("the manager's configuration, signatures." + name); err != nil {
			return nil, fault.Wrap(name, err)
		}
	}
	return signers, nil
}

// check checks that a signer can be used, and names the origin of its policy.
func (s *Signer) check(from string) error {
	s.Policy.KeyFrom, s.Policy.TrustedRootFrom = from, from
	for _, prefix := range s.Repositories {
		if prefix == "" || strings.HasSuffix(prefix, "/") || strings.Contains(prefix, "://") {
			return fmt.Errorf("the repository %q is not of the form host or host/path", text.Line(prefix, maxText))
		}
	}
	_, err := newTrust(s.Policy)
	return err
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

func (s Signer) isFor(namespace, repository string) bool {
	below := func(prefix string) bool { return repository == prefix || strings.HasPrefix(repository, prefix+"/") }
	return (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace)) &&
		(len(s.Repositories) == 0 || slices.ContainsFunc(s.Repositories, below))
}

// Version identifies who is trusted with what.
func (s *Signers) Version() string {
	form, _ := json.Marshal(s.entries) // it has nothing that JSON cannot hold
	return digest.FromBytes(form).String()
}
