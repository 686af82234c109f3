package library

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// Part is bytes that a source stands for, by their digest, and how they are packed.
type Part struct {
	// Digest of the bytes.
	Digest digest.Digest
	// Name of the bytes in messages, short; From says whole where they come from.
	Name, From string
	// Format says how the bytes are packed.
	Format archive.Format
	// Files of an archive to read, in this order; empty for all.
	Files []string
	// VerifiedBy is who signed the bytes, if they had to be signed.
	VerifiedBy string
	// Fetch opens the bytes. Its errors name where they come from.
	Fetch store.OpenFunc
}

// Query is a source and what decides what it stands for.
type Query struct {
	// Namespace of the Bundle.
	Namespace string
	// Source to resolve.
	Source v1alpha1.Source
	// Kubernetes is the minor version of the workload cluster, as in "v1.36", for
	// sources that depend on it; empty for the others.
	Kubernetes string
}

// Resolver says which parts a source stands for.
type Resolver interface {
	// Static returns the part of a source that names its digest itself. It is
	// false for a source that has to be asked for.
	Static(src v1alpha1.Source) (Part, bool)
	// Resolve asks what a source stands for now.
	Resolve(ctx context.Context, query Query) ([]Part, error)
	// Describe says whole where a source is, without what is secret.
	Describe(src v1alpha1.Source) string
}

// ID is the identity of the documents in the part: that of its bytes, and of
// how they are read.
func (p Part) ID() string {
	if variant := p.variant(); variant != "" {
		return string(p.Digest) + "+" + variant
	}
	return string(p.Digest)
}

// kind is the kind of a file that is derived from the part's bytes.
func (p Part) kind(derived string) string {
	if variant := p.variant(); variant != "" {
		return derived + "-" + variant
	}
	return derived
}

// variant tells the ways to read the same bytes apart; empty for the plain one.
func (p Part) variant() string {
	if p.Format == archive.Plain && len(p.Files) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(string(p.Format) + "\n" + strings.Join(p.Files, "\n")))
	return hex.EncodeToString(sum[:8])
}
