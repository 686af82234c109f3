package archive

import (
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// ratioFrom is how many bytes come out before the ratio of compression counts:
// short files of blanks may be anything.
const ratioFrom = 1 << 20

// bufferSize is how many bytes are copied at once.
const bufferSize = 128 << 10

// Limits bounds what Files accepts. Crossing a limit is an error and never a
// truncation. A limit of zero or less admits nothing; start from DefaultLimits.
type Limits struct {
	// Bytes is the size of the unpacked bytes: for an archive the whole of it,
	// with what is not read.
	Bytes int64
	// Ratio is how many bytes may come out for each byte that goes in. It counts
	// once 1 MiB has come out.
	Ratio int64
	// Files is the number of entries of an archive: files, whether they are read
	// or not, and directories.
	Files int
	// Name is the length in bytes of an entry's path.
	Name int
	// Window is the memory in bytes that a zstd stream may ask for to be
	// decompressed, at least 1 KiB. "zstd -19" asks for 8 MiB, "zstd --ultra -21"
	// for 64 MiB.
	Window int64
}

// DefaultLimits returns the limits that hold unless flags change it:
// 512 MiB, a ratio of 200, 10,000 entries, paths of 4096 bytes, and a window of
// 64 MiB.
func DefaultLimits() Limits {
	return Limits{Bytes: 512 << 20, Ratio: 200, Files: 10_000, Name: 4096, Window: 64 << 20}
}

// invalid returns an error about an archive that cannot be read, or must not be.
// It never wraps io.EOF, which readers further down would take for a good end.
func invalid(format string, args ...any) error {
	return fault.Stallf(v1alpha1.ArchiveInvalidReason, format, args...)
}

// exceeded returns an error about a limit that is crossed.
func exceeded(format string, args ...any) error {
	return fault.Stallf(v1alpha1.LimitExceededReason, format, args...)
}
