package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestALimitHoldsToTheByte(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("0123456789", 1000))
	blanks := bytes.Repeat([]byte(" "), ratioFrom+1)
	long := tarOf(pax('x', "path="+strings.Repeat("n", 295)+".yaml"), regular("x", "1"))
	many := tarOf(typed('5', "d/", ""), regular("a.yaml", "1"), regular("README", "2"))
	tests := map[string]struct {
		given    []byte
		format   Format
		limit    func(*Limits, int)
		enough   int
		wantText string
	}{
		"bytes of a file": {text, Plain, bytesLimit, 10_000, "limit of 9999 bytes unpacked"},
		"bytes of gzip":   {compress(t, Gzip, text), Gzip, bytesLimit, 10_000, "limit of 9999 bytes unpacked"},
		"bytes of zstd":   {compress(t, Zstd, text), Zstd, bytesLimit, 10_000, "limit of 9999 bytes unpacked"},
		"bytes of all of archive": {
			many, Tar, bytesLimit, len(many), fmt.Sprintf("limit of %d bytes unpacked", len(many)-1),
		},
		"ratio of gzip": ratioCase(t, Gzip, blanks),
		"ratio of zstd": ratioCase(t, Zstd, blanks),
		"entries of an archive": {
			many, Tar, func(l *Limits, n int) { l.Files = n }, 3, "limit of 2 entries",
		},
		"bytes of a name": {
			long, Tar, func(l *Limits, n int) { l.Name = n }, 300, "a name of 300 bytes, over the limit of 299",
		},
		"window of zstd": {
			window(t, 1<<20), Zstd, func(l *Limits, n int) { l.Window = int64(n) }, 1 << 20,
			"window larger than the limit of 1048575 bytes",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := DefaultLimits()
			test.limit(&limits, test.enough)
			if _, err := readFiles(bytes.NewReader(test.given), test.format, nil, limits); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			test.limit(&limits, test.enough-1)
			_, err := readFiles(bytes.NewReader(test.given), test.format, nil, limits)
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, test.wantText)
		})
	}
}

func bytesLimit(l *Limits, n int) { l.Bytes = int64(n) }

func ratioCase(t *testing.T, format Format, content []byte) (test struct {
	given    []byte
	format   Format
	limit    func(*Limits, int)
	enough   int
	wantText string
}) {
	t.Helper()
	test.given, test.format = compress(t, format, content), format
	test.limit = func(l *Limits, n int) { l.Ratio = int64(n) }
	test.enough = (len(content) + len(test.given) - 1) / len(test.given)
	test.wantText = fmt.Sprintf("ratio is over the limit of %d", test.enough-1)
	return test
}

// window returns a zstd stream that asks for a window of the given size.
func window(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(size), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	// More than a window: else the stream asks for no more than its size.
	if _, err := io.Copy(w, io.LimitReader(&noise{}, int64(size)*2)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestShortFilesOfBlanksMayBeAnything(t *testing.T) {
	t.Parallel()
	blanks := strings.Repeat(" ", ratioFrom)
	for _, format := range []Format{Gzip, Zstd} {
		packed := compress(t, format, []byte(blanks))
		if len(blanks)/len(packed) < 201 {
			t.Fatalf("%s: the ratio is only %d", format, len(blanks)/len(packed))
		}
		got, err := readFiles(bytes.NewReader(packed), format, nil, DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", format, err)
		}
		wantFiles(t, []file{{Content: blanks}}, got)
	}
}

func TestLimitsOfZeroAdmitNothing(t *testing.T) {
	t.Parallel()
	for _, format := range allFormats {
		packed, _ := sample(t, format)
		_, err := readFiles(bytes.NewReader(packed), format, nil, Limits{})
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "limit of")
	}
}

// TestABombIsRefusedEarly reads streams of 2 GB in some 2 MB, which are made
// while they are read: not much of them is.
func TestABombIsRefusedEarly(t *testing.T) {
	t.Parallel()
	const size = 2 << 30
	for _, format := range []Format{Gzip, Zstd, TarGzip, TarZstd} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			r, w := io.Pipe()
			done := make(chan struct{})
			made := &tally{}
			go func() {
				defer close(done)
				w.CloseWithError(writeBomb(t, format, io.MultiWriter(made, w), size))
			}()
			scratch := &memory{}
			_, err := readFrom(r, format, nil, DefaultLimits(), func() (Scratch, error) { return scratch, nil })
			_ = r.Close()
			<-done
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "ratio is over the limit of 200")
			if made.bytes > 64<<10 {
				t.Errorf("want it to be refused within 64 KiB, got %d bytes", made.bytes)
			}
			if scratch.Len() > 4<<20 {
				t.Errorf("want the scratch file to stay small, got %d bytes", scratch.Len())
			}
		})
	}
}

func writeBomb(t *testing.T, format Format, w io.Writer, size int64) error {
	t.Helper()
	zip := compressor(t, format, w)
	if format.IsArchive() {
		header := &tar.Header{Name: "bomb.yaml", Size: size, Typeflag: tar.TypeReg, Mode: 0o600}
		if err := tar.NewWriter(zip).WriteHeader(header); err != nil {
			return err
		}
	}
	_, err := io.CopyN(zip, zeros{}, size)
	return err
}

func TestABombInManyEntriesIsRefused(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits()
	limits.Bytes = 1 << 20
	endless := io.MultiReader(bytes.NewReader(regular("a.yaml", "1")), &repeated{block: typed('5', "d/", "")})
	_, err := readFiles(endless, Tar, nil, limits)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "1048576 bytes")
	limits.Bytes = 16 << 20
	_, err = readFiles(&repeated{block: typed('5', "d/", "")}, Tar, nil, limits)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "limit of 10000 entries")
	// Headers that are about a next entry that never comes are no entries.
	_, err = readFiles(&repeated{block: pax('x', "comment=x")}, Tar, nil, limits)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "16777216 bytes")
}

// tally counts what is written.
type tally struct{ bytes int }

// Write implements io.Writer.
func (c *tally) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return len(p), nil
}

// zeros is endless.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// repeated is one block again and again.
type repeated struct {
	block []byte
	at    int
}

// Read implements io.Reader.
func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// noise is endless text that does not compress well, the same each time.
type noise struct{ state uint64 }

// Read implements io.Reader.
func (s *noise) Read(p []byte) (int, error) {
	for i := range p {
		s.state = s.state*6364136223846793005 + 1442695040888963407
		p[i] = ' ' + byte(s.state>>58)
	}
	return len(p), nil
}
