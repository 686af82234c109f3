package helm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/opencontainers/go-digest"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// MaxIndexBytes bounds the index.yaml of a chart repository.
const MaxIndexBytes = 50 << 20

// index holds the fields of an index.yaml that are read.
type index struct {
	Entries map[string][]indexEntry `json:"entries"`
}

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
// An index over MaxIndexBytes is a Stall, LimitExceeded; everything else is
// FetchFailed, because a repository changes: it is tried again.
func ChartURL(content []byte, repository *url.URL, name, version string) (string, digest.Digest, error) {
	if len(content) > MaxIndexBytes {
		return "", "", tooLarge("index.yaml: larger than the limit of %d bytes", MaxIndexBytes)
	}
	entry, err := findEntry(content, name, version)
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
func findEntry(content []byte, name, version string) (indexEntry, error) {
	var parsed index
	decode := func(content []byte, into any) error { return yaml.Unmarshal(content, into) }
	if json.Valid(content) {
		decode = json.Unmarshal
	}
	if decode(content, &parsed) != nil {
		return indexEntry{}, errors.New("not the index of a chart repository")
	}
	entries := parsed.Entries[name]
	if len(entries) == 0 {
		return indexEntry{}, fmt.Errorf("there is no chart %s", text.Quote(name, maxNameText))
	}
	for _, wanted := range []string{version, strings.TrimPrefix(version, "v"), "v" + version} {
		for _, entry := range entries {
			if entry.Version == wanted {
				return entry, nil
			}
		}
	}
	return indexEntry{}, fmt.Errorf("chart %s has no version %s, the newest are %s",
		text.Quote(name, maxNameText), text.Quote(version, maxNameText), newest(entries))
}

// newest names the newest versions.
func newest(entries []indexEntry) string {
	var versions []*semver.Version
	for _, entry := range entries {
		if v, err := semver.NewVersion(entry.Version); err == nil {
			versions = append(versions, v)
		}
	}
	slices.SortStableFunc(versions, func(a, b *semver.Version) int { return b.Compare(a) })
	var names []string
	for _, v := range versions[:min(len(versions), maxNamed)] {
		names = append(names, text.Line(v.Original(), maxText))
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
