package archive

import (
	"path"
	"slices"
	"strings"
)

// Format is how bytes are packed.
type Format string

// The formats that Files reads.
const (
	// Plain is a file as it is.
	Plain Format = ""
	// Gzip is one file, compressed with gzip.
	Gzip Format = "gzip"
	// Zstd is one file, compressed with zstd.
	Zstd Format = "zstd"
	// Tar is an archive.
	Tar Format = "tar"
	// TarGzip is an archive, compressed with gzip.
	TarGzip Format = "tar+gzip"
	// TarZstd is an archive, compressed with zstd.
	TarZstd Format = "tar+zstd"
)

// Media types of OCI layers.
const (
	ociLayer = "application/vnd.oci.image.layer.v1.tar"

	// phaseMediaType is the type of a layer of the provider's own layout: the YAML
	// of one phase, compressed with zstd.
	phaseMediaType = "application/vnd.caapb.phase.v1.yaml+zstd"
)

// endings of the names of packed files. The first that fits counts.
var endings = []struct {
	ending string
	format Format
}{
	{".tar.gz", TarGzip},
	{".tgz", TarGzip},
	{".tar.zst", TarZstd},
	{".tzst", TarZstd},
	{".tar", Tar},
	{".gz", Gzip},
	{".zst", Zstd},
	{".yaml", Plain},
	{".yml", Plain},
	{".json", Plain},
}

// manifestEndings are the endings of the names of files with manifests.
var manifestEndings = []string{".yaml", ".yml", ".json"}

// mediaTypes are the types of layers whose format is known.
var mediaTypes = map[string]Format{
	"application/vnd.cncf.flux.content.v1.tar+gzip":     TarGzip,
	"application/vnd.docker.image.rootfs.diff.tar.gzip": TarGzip,
	ociLayer:             Tar,
	ociLayer + "+gzip":   TarGzip,
	ociLayer + "+zstd":   TarZstd,
	phaseMediaType:       Zstd,
	"application/json":   Plain,
	"application/x-yaml": Plain,
	"application/yaml":   Plain,
	"text/yaml":          Plain,
}

// FormatOfName returns the format that the ending of a file's name indicates, in
// upper or lower case. A name with another ending, or none, is that of a
// plain file.
func FormatOfName(name string) Format {
	format, _ := formatOfEnding(name)
	return format
}

// FormatOfMediaType returns the format of an OCI layer by its media type. Layers
// of a general type, such as application/octet-stream, are recognized by the
// ending of their title (the annotation org.opencontainers.image.title). The
// same holds for the type of an uncompressed layer, since "oras push" gives it
// to files of every kind; with a title that has no ending, and without a title, it
// is an archive. The second result is false when the format is not known.
func FormatOfMediaType(mediaType, title string) (Format, bool) {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	format, known := mediaTypes[mediaType]
	if known && mediaType != ociLayer {
		return format, true
	}
	if byTitle, ok := formatOfEnding(title); ok {
		return byTitle, true
	}
	if known && !hasEnding(title) {
		return format, true
	}
	return Plain, false
}

// hasEnding reports whether a title ends as the name of a file of some kind; that
// of a folder may end in a version.
func hasEnding(title string) bool {
	ending := strings.ToLower(strings.TrimPrefix(path.Ext(title), "."))
	return ending != "" && ending[0] >= 'a' && ending[0] <= 'z'
}

// IsArchive reports whether the format holds several files with names.
func (f Format) IsArchive() bool {
	_, isArchive := f.layers()
	return isArchive
}

// layers returns how the bytes of the format are compressed, and whether what
// comes out is an archive.
func (f Format) layers() (compression Format, isArchive bool) {
	switch f {
	case Tar:
		return Plain, true
	case TarGzip:
		return Gzip, true
	case TarZstd:
		return Zstd, true
	default:
		return f, false
	}
}

func formatOfEnding(name string) (Format, bool) {
	name = strings.ToLower(name)
	for _, e := range endings {
		if strings.HasSuffix(name, e.ending) {
			return e.format, true
		}
	}
	return Plain, false
}

func isManifest(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(manifestEndings, func(ending string) bool { return strings.HasSuffix(name, ending) })
}
