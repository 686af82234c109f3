package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// allFormats are the formats that Files reads.
var allFormats = []Format{Plain, Gzip, Zstd, Tar, TarGzip, TarZstd}

// file is a File that was read.
type file struct{ Name, Content string }

// readFiles reads all files until the first error, as a consumer does.
func readFiles(packed io.Reader, format Format, wanted []string, limits Limits) ([]file, error) {
	return readFrom(packed, format, wanted, limits, func() (Scratch, error) { return &memory{}, nil })
}

func readFrom(packed io.Reader, format Format, wanted []string, limits Limits,
	scratch func() (Scratch, error)) ([]file, error) {
	var got []file
	for f, err := range Files(packed, format, wanted, limits, scratch) {
		if err != nil {
			return got, err
		}
		content, err := io.ReadAll(f.Reader)
		if err != nil {
			return got, err
		}
		got = append(got, file{Name: f.Name, Content: string(content)})
	}
	return got, nil
}

// memory is a Scratch without a file.
type memory struct {
	bytes.Buffer
	closed int
}

// ReadAt implements io.ReaderAt.
func (m *memory) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, offset)
}

// Close implements io.Closer.
func (m *memory) Close() error {
	m.closed++
	return nil
}

// regular returns an entry for a file, to be given to tarOf.
func regular(name, content string) []byte {
	return typed(tar.TypeReg, name, content)
}

// typed returns an entry, written by hand: archive/tar writes only good ones.
func typed(typeflag byte, name, content string) []byte {
	var b [512]byte
	copy(b[:100], name)
	copy(b[100:], "0000644\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x0000000000000\x00", len(content)))
	b[156] = typeflag
	copy(b[157:], "target")
	copy(b[257:], "ustar\x0000")
	return append(checksummed(b), padded(content)...)
}

// checksummed returns a header with its checksum.
func checksummed(b [512]byte) []byte {
	copy(b[148:156], strings.Repeat(" ", 8))
	var sum int
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b[:]
}

// pax returns an extended header with records for the next entry.
func pax(typeflag byte, records ...string) []byte {
	var content strings.Builder
	for _, record := range records {
		size := len(record) + 3
		for len(fmt.Sprint(size))+len(record)+2 != size {
			size++
		}
		fmt.Fprintf(&content, "%d %s\n", size, record)
	}
	return typed(typeflag, "header", content.String())
}

func padded(content string) []byte {
	return append([]byte(content), make([]byte, (512-len(content)%512)%512)...)
}

// tarOf returns the entries as an archive with an end.
func tarOf(entries ...[]byte) []byte {
	return append(bytes.Join(entries, nil), make([]byte, 1024)...)
}

// compress packs content as the compression of the format.
func compress(t testing.TB, format Format, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := compressor(t, format, &b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressor(t testing.TB, format Format, w io.Writer) io.WriteCloser {
	t.Helper()
	compression, _ := format.layers()
	switch compression {
	case Gzip:
		return gzip.NewWriter(w)
	case Zstd:
		zip, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		return zip
	default:
		return struct {
			io.Writer
			io.Closer
		}{w, io.NopCloser(nil)}
	}
}

// sample returns bytes in the format, and the files that they hold.
func sample(t testing.TB, format Format) (packed []byte, want []file) {
	t.Helper()
	if !format.IsArchive() {
		const content = "kind: List # 0123456789 0123456789 0123456789\n"
		return compress(t, format, []byte(content)), []file{{Content: content}}
	}
	long := strings.Repeat("a: 1\n", 200)
	archive := tarOf(regular("b.yaml", "b: 1"), regular("README", "text"), regular("a.yaml", long))
	return compress(t, format, archive), []file{{Name: "a.yaml", Content: long}, {Name: "b.yaml", Content: "b: 1"}}
}

func wantFiles(t *testing.T, want, got []file) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
