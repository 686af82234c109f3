//go:build !no_helm

package helm

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/klauspost/compress/gzip"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxNameBytes bounds the path of a file in an archive.
const maxNameBytes = 1024

// maxNesting bounds how deep the archives of dependencies lie in each other.
const maxNesting = 8

// load reads a chart with its dependencies.
func load(r io.Reader, limits Limits) (*chartv2.Chart, error) {
	packed, err := io.ReadAll(io.LimitReader(r, limits.ArchiveBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(packed)) > limits.ArchiveBytes {
		return nil, tooLarge("chart archive: larger than the limit of %d bytes", limits.ArchiveBytes)
	}
	u := unpacking{left: limits.UnpackedBytes, entriesLeft: limits.Files, limits: limits}
	files, err := u.unpack("chart archive", packed, 0)
	if err != nil {
		return nil, err
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, invalid("chart archive: %s", text.Line(err.Error(), maxText))
	}
	sortDependencies(loaded)
	return loaded, checkKind(loaded)
}

// checkKind refuses what is not rendered on its own or not known.
func checkKind(c *chartv2.Chart) error {
	switch m := c.Metadata; {
	case m.Type == "library":
		return invalid("chart %s: it is a library chart, which has no objects of its own", m.Name)
	case m.APIVersion != chartv2.APIVersionV1 && m.APIVersion != chartv2.APIVersionV2:
		return invalid("chart %s: its apiVersion is %s, which is not v1 or v2",
			m.Name, text.Quote(m.APIVersion, maxNameText))
	}
	return nil
}

// sortDependencies gives an order to what Helm's loader reads by a map.
func sortDependencies(c *chartv2.Chart) {
	sorted := slices.SortedStableFunc(slices.Values(c.Dependencies()), func(a, b *chartv2.Chart) int {
		return cmp.Or(cmp.Compare(a.Name(), b.Name()), cmp.Compare(a.Metadata.Version, b.Metadata.Version))
	})
	c.SetDependencies(sorted...)
	for _, dependency := range sorted {
		sortDependencies(dependency)
	}
}

// unpacking counts what comes out of an archive and the archives in it. Helm's
// loader bounds each of them only by itself, and not the number of files.
type unpacking struct {
	left        int64
	entriesLeft int
	limits      Limits
}

// unpack returns the files of an archive, those of the archives of dependencies
// in place of these.
func (u *unpacking) unpack(name string, packed []byte, depth int,
) ([]*archive.BufferedFile, error) {
	if depth > maxNesting {
		return nil, tooLarge("%s: dependencies lie more than %d deep in each other", name, maxNesting)
	}
	if err := u.scan(name, packed); err != nil {
		return nil, err
	}
	files, err := archive.LoadArchiveFiles(bytes.NewReader(packed))
	if err != nil {
		return nil, invalid("%s: %s", name, text.Line(err.Error(), maxText))
	}
	var all []*archive.BufferedFile
	for _, file := range files {
		if !isDependency(file.Name) {
			all = append(all, file)
			continue
		}
		inner, err := u.unpack(name+": "+text.Quote(file.Name, maxText), file.Data, depth+1)
		if err != nil {
			return nil, err
		}
		for _, f := range inner {
			// Without the extension Helm takes it for a folder.
			f.Name = strings.TrimSuffix(file.Name, ".tgz") + "-tgz/" + f.Name
		}
		all = append(all, inner...)
	}
	return all, nil
}

// isDependency reports whether Helm reads a file as the archive of a dependency:
// directly in the folder charts of the chart or of one in a folder.
func isDependency(name string) bool {
	dir, base := path.Split(name)
	if path.Ext(base) != ".tgz" || strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".") {
		return false
	}
	parts := strings.Split(strings.TrimSuffix(dir, "/"), "/")
	for i := 0; i < len(parts); i += 2 {
		if parts[i] != "charts" {
			return false
		}
	}
	return len(parts)%2 == 1
}

// scan reads an archive to its end and keeps nothing.
func (u *unpacking) scan(name string, packed []byte) error {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return invalid("%s: it is no gzip file", name)
	}
	counted := &countedReader{
		r: zip, left: u.left + int64(u.entriesLeft)*headerBytes,
		ratio: u.limits.Ratio, ratioLeft: max(ratioFrom, u.limits.Ratio*int64(len(packed))),
	}
	for entries := tar.NewReader(counted); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = u.count(header)
		}
		if err == nil {
			_, err = io.Copy(io.Discard, entries) //nolint:gosec // counted
		}
		if errors.Is(err, errTooLarge) {
			return tooLarge("%s: larger than the limit of %d bytes unpacked", name, u.limits.UnpackedBytes)
		}
		if _, ok := errors.AsType[*fault.Error](err); ok {
			return fault.Wrap(name, err)
		}
		if err != nil {
			return invalid("%s: %s", name, text.Line(err.Error(), maxText))
		}
	}
}

// headerBytes is what an entry takes beside its content: a header, one for a long
// name, and padding.
const headerBytes = 4 << 10

// count takes an entry off what is left.
func (u *unpacking) count(header *tar.Header) error {
	if u.entriesLeft--; u.entriesLeft < 0 {
		return tooLarge("more than the limit of %d files", u.limits.Files)
	}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeXGlobalHeader:
	default:
		return invalid("%s is a link or a device", text.Quote(header.Name, maxText))
	}
	if len(header.Name) > maxNameBytes || strings.ContainsFunc(header.Name, unicode.IsControl) {
		return invalid("%s is no name of a file", text.Quote(header.Name, maxText))
	}
	isSlash := func(r rune) bool { return r == '/' || r == '\\' }
	if strings.HasPrefix(header.Name, "/") || slices.Contains(strings.FieldsFunc(header.Name, isSlash), "..") {
		return invalid("%s leads out of the archive", text.Quote(header.Name, maxText))
	}
	if header.Size > archive.MaxDecompressedFileSize {
		return tooLarge("%s is larger than the limit of %d bytes",
			text.Quote(header.Name, maxText), archive.MaxDecompressedFileSize)
	}
	if u.left -= header.Size; u.left < 0 {
		return errTooLarge
	}
	return nil
}

var errTooLarge = errors.New("too large")

// ratioFrom is how many bytes come out of an archive before the ratio of compression
// counts: short files of blanks may be anything.
const ratioFrom = 1 << 20

// countedReader ends with errTooLarge when it has given what was left, and with another
// error when that is too many times what it was packed in.
type countedReader struct {
	r         io.Reader
	left      int64
	ratio     int64
	ratioLeft int64
}

// Read returns the next bytes.
func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, errTooLarge
	}
	if c.ratioLeft -= int64(n); c.ratioLeft < 0 {
		return 0, tooLarge("the compression ratio is over the limit of %d", c.ratio)
	}
	return n, err
}
