package helm

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// MaxIndexBytes bounds the index.yaml of a chart repository.
const MaxIndexBytes = 50 << 20

// indexEntry holds the fields of an entry that are read.
type indexEntry struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

// ChartURL returns where the index.yaml of a chart repository has a chart in
// exactly the given version, a leading v left aside, and the digest of the archive
// that it tells, which may be empty. A relative URL begins at the repository and
// has its query. The scheme is http, https or oci.
//
// The index is read up to the entry, and one entry of the chart is in memory at a time.
// An index over MaxIndexBytes, or one with a large entry, is a Stall, LimitExceeded; an
// error of content keeps its class; everything else is FetchFailed, because a repository
// changes: it is tried again.
func ChartURL(content io.Reader, repository *url.URL, name, version string) (string, digest.Digest, error) {
	entry, err := findEntry(content, name, version)
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return "", "", fault.Wrap("index.yaml", err)
	}
	if err != nil {
		return "", "", indexFailed(err)
	}
	chart, err := resolve(repository, entry.URLs)
	if err != nil {
		return "", "", indexFailed(fmt.Errorf("%s: %w", nameOf(name, version), err))
	}
	sum := digest.Digest("")
	if entry.Digest != "" {
		sum = digest.NewDigestFromEncoded(digest.SHA256, strings.TrimPrefix(entry.Digest, "sha256:"))
		if sum.Validate() != nil {
			return "", "", indexFailed(fmt.Errorf("%s: its digest is no sha256", nameOf(name, version)))
		}
	}
	return chart, sum, nil
}

// nameOf names a chart in a version.
func nameOf(name, version string) string {
	return "chart " + text.Quote(name, maxNameText) + " " + text.Quote(version, maxNameText)
}

func indexFailed(err error) error {
	return fault.Retry(v1alpha1.FetchFailedReason, fmt.Errorf("index.yaml: %w", err))
}

// findEntry returns the entry of a chart in a version.
func findEntry(content io.Reader, name, version string) (indexEntry, error) {
	wanted := []string{version, strings.TrimPrefix(version, "v"), "v" + version}
	rank := len(wanted)
	var best indexEntry
	var newest newestVersions
	for entry, err := range entriesOf(content, name) {
		if err != nil {
			return indexEntry{}, err
		}
		newest.add(entry.Version)
		if at := slices.Index(wanted, entry.Version); at >= 0 && at < rank {
			best, rank = entry, at
		}
		if rank == 0 {
			break
		}
	}
	switch {
	case rank < len(wanted):
		return best, nil
	case !newest.any:
		return indexEntry{}, fmt.Errorf("there is no chart %s", text.Quote(name, maxNameText))
	}
	return indexEntry{}, fmt.Errorf("chart %s has no version %s, the newest are %s",
		text.Quote(name, maxNameText), text.Quote(version, maxNameText), newest)
}

// newestVersions are the newest of the versions that were added.
type newestVersions struct {
	// any is true if there was any, also one that is no version.
	any      bool
	versions []*semver.Version
}

func (n *newestVersions) add(version string) {
	n.any = true
	v, err := semver.NewVersion(version)
	if err != nil {
		return
	}
	n.versions = append(n.versions, v)
	slices.SortStableFunc(n.versions, func(a, b *semver.Version) int { return b.Compare(a) })
	n.versions = n.versions[:min(len(n.versions), maxNamed)]
}

// String names them.
func (n newestVersions) String() string {
	names := make([]string, len(n.versions))
	for i, v := range n.versions {
		names[i] = text.Line(v.Original(), maxText)
	}
	return strings.Join(names, ", ")
}

// resolve returns the first URL of an entry. Errors do not repeat it: it may hold
// credentials.
func resolve(repository *url.URL, urls []string) (string, error) {
	if len(urls) == 0 {
		return "", errors.New("it has no url")
	}
	reference, err := url.Parse(urls[0])
	if err != nil {
		return "", errors.New("its url is invalid")
	}
	if !reference.IsAbs() {
		reference = repository.JoinPath("/").ResolveReference(reference)
		reference.RawQuery = repository.RawQuery
	}
	if !slices.Contains([]string{"http", "https", "oci"}, reference.Scheme) || reference.Host == "" {
		return "", errors.New("its url is not one of http, https or oci")
	}
	return reference.String(), nil
}
