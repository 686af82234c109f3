package archive

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
)

// watched keeps the largest heap that there was while it was read.
type watched struct {
	r           io.Reader
	read, check int64
	peak        uint64
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if w.read += int64(n); w.read >= w.check {
		w.check = w.read + 4<<20
		w.look()
	}
	return n, err
}

func (w *watched) look() {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	w.peak = max(w.peak, now.HeapAlloc)
}

// TestMemory reads an archive of 200 MB, which is made while it is read, last
// file first, and never in memory as a whole.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 200 MB")
	}
	const bound, files = 16 << 20, 20
	const size = 10 << 20 / slowdown
	for _, format := range []Format{Tar, TarGzip, TarZstd} {
		t.Run(string(format), func(t *testing.T) {
			r, w := io.Pipe()
			defer r.Close()
			go func() { w.CloseWithError(writeLarge(t, format, w, files, size)) }()
			runtime.GC()
			var before runtime.MemStats
			runtime.ReadMemStats(&before)
			packed := &watched{r: r}
			dir := t.TempDir()
			var names int
			for f, err := range Files(packed, format, nil, DefaultLimits(), func() (Scratch, error) {
				return os.CreateTemp(dir, "")
			}) {
				if err != nil {
					t.Fatal(err)
				}
				content := &watched{r: f.Reader}
				n, err := io.Copy(io.Discard, content)
				packed.peak = max(packed.peak, content.peak)
				if want := fmt.Sprintf("%03d.yaml", names); err != nil || n != size || f.Name != want {
					t.Fatalf("want %s of %d bytes, got %s of %d: %v", want, size, f.Name, n, err)
				}
				names++
			}
			if names != files {
				t.Errorf("want %d files, got %d", files, names)
			}
			if grown := int64(packed.peak) - int64(before.HeapAlloc); grown > bound {
				t.Errorf("the heap grew by %d bytes, want at most %d", grown, bound)
			}
		})
	}
}

// writeLarge writes an archive in which the files stand backwards.
func writeLarge(t *testing.T, format Format, w io.Writer, files int, size int64) error {
	t.Helper()
	zip := compressor(t, format, w)
	archive := tar.NewWriter(zip)
	for n := files - 1; n >= 0; n-- {
		header := &tar.Header{Name: fmt.Sprintf("%03d.yaml", n), Size: size, Typeflag: tar.TypeReg, Mode: 0o600}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.CopyN(archive, &noise{state: uint64(n)}, size); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return zip.Close()
}
