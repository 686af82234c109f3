package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// Part is one file of a source: the digest of its bytes, and how they are packed.
type Part struct {
	// Digest of the bytes.
	Digest digest.Digest
	// Name is a short name of the bytes for messages. From describes in full
	// where they come from.
	Name, From string
	// Format of the bytes: plain YAML, compressed, or an archive.
	Format archive.Format
	// Files of an archive to read, in this order; empty for all.
	Files []string
	// Kustomize is the folder of an archive with the kustomization to build, "." for its
	// root. Without it, and without Files, a kustomization at the root is built, too.
	Kustomize string
	// Namespace of namespaced objects that name none; empty for that of the phase.
	Namespace string
	// GivesWay has the Namespace in it give way to one that another source of the
	// release brings, or that is in the cluster.
	GivesWay bool
	// VerifiedBy is who signed the bytes, if they had to be signed.
	VerifiedBy string
	// Artifact is what the source stands for; without a digest for the kinds of sources
	// that are no artifacts.
	Artifact Artifact
	// Warnings are what should be looked at in a source that can be used, as resolving
	// it found it: one line each, stable and without secrets. The name of the part is
	// put before each of them.
	Warnings []string
	// Origin is the source, of a namespace, that the bytes are fetched for: with its
	// credentials, and only it is held up by errors of them. The library sets it.
	Origin Query
	// Fetch opens the bytes. Its errors name where they come from.
	Fetch store.OpenFunc
	// Place is the server that Fetch asks, and what it asks for: the same bytes are
	// fetched once from one place, and nobody waits for a place that another source
	// names. It may hold secrets and is not for messages.
	Place string

	// Identity takes the place of ID in the digest of a release, where Clusters get bytes
	// of their own: it is the same for all of them. Empty for all other parts.
	Identity string
	// ForCluster returns the part that a Cluster gets in place of this one, whose bytes
	// are placeholders. It is nil for a part that Clusters get as it is.
	ForCluster func(ctx context.Context, cluster Cluster) (Part, error)
}

// Cluster is the Cluster that a part is for. The Bundle may be of another namespace.
type Cluster struct {
	Namespace, Name string
	UID             types.UID
}

// Artifact is an artifact of a registry, or a chart, that a source stands for now.
type Artifact struct {
	// Reference is where it is, without a tag and without secrets.
	Reference string
	// Tag is its tag, or the version of a chart; empty where a digest is named.
	Tag string
	// Digest of its manifest or index, or of the archive of a chart that is not in a
	// registry.
	Digest digest.Digest
}

// Query is a source and everything else that its parts depend on.
type Query struct {
	// Namespace of the Bundle.
	Namespace string
	// Source to resolve.
	Source v1alpha1.Source
	// Kubernetes is the minor version of the workload cluster, as in "v1.36", for
	// sources that depend on it; empty for the others.
	Kubernetes string
	// APIVersions are the groups, versions and kinds that the other sources of the
	// release define for this one, sorted; see helm.Options.
	APIVersions []string
	// Changes of the values of a chart, as patches make them for some Clusters.
	Changes patch.Changes
}

// ID returns the identity of the documents in the part: that of its bytes, and
// of how they are read.
func (p Part) ID() string {
	if variant := p.Variant(); variant != "" {
		return string(p.Digest) + "+" + variant
	}
	return string(p.Digest)
}

// Variant returns what distinguishes the ways to read the same bytes: 16 hex
// digits, or nothing for plain YAML. It may be part of a file name.
func (p Part) Variant() string {
	if p.Format == archive.Plain && len(p.Files) == 0 && p.Kustomize == "" {
		return ""
	}
	form := string(p.Format) + "\n" + strings.Join(p.Files, "\n")
	if p.Kustomize != "" {
		form += "\x00kustomize\n" + p.Kustomize
	}
	sum := sha256.Sum256([]byte(form))
	return hex.EncodeToString(sum[:8])
}
