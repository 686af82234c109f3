package store

import (
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestTheLimitIsBelowTheSizeOfTheVolume(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ givenAsked, givenVolume, want int64 }{
		"what was asked for":                     {30, 100, 30},
		"four fifths of a smaller volume":        {90, 100, 80},
		"four fifths when nothing was asked for": {0, 100, 80},
		"a volume that does not tell its size":   {30, 0, 30},
		"neither is known":                       {0, 0, math.MaxInt64},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := limitOf(tc.givenAsked, tc.givenVolume); got != tc.want {
				t.Errorf("want %d, got %d", tc.want, got)
			}
		})
	}
}

func TestAStoreAlwaysHasALimit(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	size, err := volumeSize(s.dir)
	if err != nil || size == 0 {
		t.Skipf("the file system does not tell its size: %v", err)
	}
	if s.maxBytes != size/5*4 {
		t.Errorf("want four fifths of %d bytes, got %d", size, s.maxBytes)
	}
}

func TestEverythingInTheDirectoryCounts(t *testing.T) {
	t.Parallel()
	const seven = "7 bytes"
	tests := map[string]struct {
		given func(t *testing.T, s *Store)
		want  bool // there is room for three more bytes
	}{
		"nothing": {func(*testing.T, *Store) {}, true},
		"three bytes fit in beside seven": {func(t *testing.T, s *Store) {
			t.Helper()
			write(t, filepath.Join(s.dir, "tmp", "other"), seven)
		}, true},
		"a file in the making": {func(t *testing.T, s *Store) {
			t.Helper()
			write(t, filepath.Join(s.dir, "tmp", "other"), seven+".")
		}, false},
		"a scratch file": {func(t *testing.T, s *Store) {
			t.Helper()
			scratch(t, s, seven+".")
		}, false},
		"a scratch file that is closed": {func(t *testing.T, s *Store) {
			t.Helper()
			_ = scratch(t, s, seven+".").Close()
		}, true},
		"what was downloaded of a file": {func(t *testing.T, s *Store) {
			t.Helper()
			name := filepath.Join(s.dir, "partial", digestOf("other").Encoded())
			write(t, name, seven)
			write(t, name+".validator", ".")
			s.Pin(digestOf("other"))
		}, false},
		"a download that was given up makes room": {func(t *testing.T, s *Store) {
			t.Helper()
			name := filepath.Join(s.dir, "partial", digestOf("other").Encoded())
			write(t, name, seven)
			write(t, name+".validator", ".")
		}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: newClock().now})
			tc.given(t, s)
			_, err := s.Commit(t.Context(), digestOf("new"), strings.NewReader("new"), 3)
			if tc.want && err != nil {
				t.Errorf("want room for it, got %v", err)
			}
			if !tc.want {
				wantNoRoom(t, s, err)
			}
		})
	}
}

func scratch(t *testing.T, s *Store, content string) *Scratch {
	t.Helper()
	f, err := s.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, content); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFileInTheMakingEndsWhereTheRoomDoes(t *testing.T) {
	t.Parallel()
	writes := map[string]func(t *testing.T, s *Store, r io.Reader) error{
		"a blob": func(t *testing.T, s *Store, r io.Reader) error {
			t.Helper()
			_, err := s.Commit(t.Context(), digestOf("new"), r, 10*bufferSize)
			return err
		},
		"a derived file": func(t *testing.T, s *Store, r io.Reader) error {
			t.Helper()
			return s.Derive(t.Context(), "index", digestOf("new"), func(w io.Writer) error {
				_, err := io.CopyBuffer(struct{ io.Writer }{w}, r, make([]byte, bufferSize))
				return err
			})
		},
		"a scratch file": func(t *testing.T, s *Store, r io.Reader) error {
			t.Helper()
			f, err := s.Scratch()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			_, err = io.Copy(f, r)
			return err
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openWith(t, t.TempDir(), Options{MaxBytes: 10 * bufferSize, Now: newClock().now})
			commit(t, s, strings.Repeat("x", 6*bufferSize))
			defer s.Pin(digestOf(strings.Repeat("x", 6*bufferSize)))()
			source := &bottomless{}
			err := write(t, s, struct{ io.Reader }{source})
			wantNoRoom(t, s, err)
			if source.read > 6*bufferSize {
				t.Errorf("want it to end after 4 of its pieces, %d bytes were read", source.read)
			}
			if held, err := s.list(); err != nil || held.bytes != 6*bufferSize {
				t.Errorf("want its space back, got %d bytes, %v", held.bytes, err)
			}
		})
	}
}

// bottomless counts the bytes that are read of it.
type bottomless struct{ read int }

func (b *bottomless) Read(p []byte) (int, error) {
	b.read += len(p)
	return len(p), nil
}

func TestSmallFilesCountAsTheBlocksThatTheyTake(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 3 * blockSize, Now: newClock().now})
	s.block = blockSize
	for _, content := range []string{"a", "b", "c", "d"} {
		commit(t, s, content)
	}
	wantBlobs(t, s, "b", "c", "d")
}

var (
	webshop = types.NamespacedName{Namespace: "shop", Name: "web"}
	backend = types.NamespacedName{Namespace: "shop", Name: "backend"}
)

func TestWhatNoBundleNamesGoesFirst(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given func(s *Store, clock *testClock) // of "old" and "used", which was used later
		want  []string
	}{
		"of what nobody names the oldest": {func(*Store, *testClock) {}, []string{"used", "new"}},
		"not what a Bundle names": {func(s *Store, _ *testClock) {
			s.Name(webshop, digestOf("old"))
		}, []string{"old", "new"}},
		"what a Bundle named that is gone": {func(s *Store, _ *testClock) {
			s.Name(webshop, digestOf("old"))
			s.Forget(webshop)
		}, []string{"used", "new"}},
		"not what another Bundle still names": {func(s *Store, _ *testClock) {
			s.Name(webshop, digestOf("old"))
			s.Name(backend, digestOf("old"))
			s.Forget(webshop)
		}, []string{"old", "new"}},
		"what a Bundle has not named for long": {func(s *Store, clock *testClock) {
			s.Name(webshop, digestOf("old"))
			clock.set(clock.now().Add(namedFor))
		}, []string{"used", "new"}},
		"not what a Bundle named again": {func(s *Store, clock *testClock) {
			s.Name(webshop, digestOf("old"))
			clock.set(clock.now().Add(namedFor))
			s.Name(webshop, digestOf("old"))
		}, []string{"old", "new"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			s := openWith(t, t.TempDir(), Options{MaxBytes: 8, Now: clock.now})
			commit(t, s, "old")
			commit(t, s, "used")
			tc.given(s, clock)
			commit(t, s, "new")
			wantBlobs(t, s, tc.want...)
		})
	}
}

func TestWhatBundlesNameIsNotEvictedForOthers(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: time.Now})
	s.Name(webshop, commit(t, s, "webshop"))
	_, err := s.Commit(t.Context(), digestOf("backend"), strings.NewReader("backend"), 7)
	wantNoRoom(t, s, err, "beside what Bundles name", "give the volume more space", "name less in Bundles")
	wantBlobs(t, s, "webshop")

	s.Forget(webshop)
	commit(t, s, "backend")
	wantBlobs(t, s, "backend")
	if len(s.named) != 0 {
		t.Errorf("want nothing remembered of a Bundle that is gone, got %v", s.named)
	}
}
