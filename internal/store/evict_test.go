package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestWhatWasNotUsedForLongestIsEvictedFirst(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenUse func(t *testing.T, s *Store) // of three blobs of three bytes, after the last was stored
		givenNew string
		want     []string
	}{
		"there is room": {givenNew: "x", want: []string{"aaa", "bbb", "ccc", "x"}},
		"the oldest":    {givenNew: "xx", want: []string{"bbb", "ccc", "xx"}},
		"the two oldest": {
			givenNew: "xxxxx", want: []string{"ccc", "xxxxx"},
		},
		"all":                           {givenNew: "xxxxxxxxxx", want: []string{"xxxxxxxxxx"}},
		"not one that was opened since": {givenUse: opens("aaa"), givenNew: "xx", want: []string{"aaa", "ccc", "xx"}},
		"not those that were opened since": {
			givenUse: opens("bbb", "aaa"), givenNew: "xx", want: []string{"aaa", "bbb", "xx"},
		},
		"not one that was opened twice within a minute": {
			givenUse: opens("aaa", "bbb", "ccc", "aaa"), givenNew: "xx", want: []string{"aaa", "ccc", "xx"},
		},
		"not one that was asked for again": {
			givenUse: func(t *testing.T, s *Store) {
				t.Helper()
				commit(t, s, "aaa")
			},
			givenNew: "xx", want: []string{"aaa", "ccc", "xx"},
		},
		"one that was only looked for": {
			givenUse: func(_ *testing.T, s *Store) { s.Has(digestOf("aaa")) },
			givenNew: "xx", want: []string{"bbb", "ccc", "xx"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: clock.now})
			for _, content := range []string{"aaa", "bbb", "ccc"} {
				commit(t, s, content)
			}
			if tc.givenUse != nil {
				tc.givenUse(t, s)
			}
			commit(t, s, tc.givenNew)
			wantBlobs(t, s, tc.want...)
		})
	}
}

func TestUsesAreRememberedAfterARestart(t *testing.T) {
	t.Parallel()
	clock := newClock()
	dir := t.TempDir()
	s := openWith(t, dir, Options{MaxBytes: 10, Now: clock.now})
	commit(t, s, "aaa")
	derive(t, s, "index", digestOf("aaa"), "i")
	commit(t, s, "bbb")
	clock.set(clock.now().Add(time.Hour))
	f, err := s.OpenDerived("index", digestOf("aaa"))
	wantContent(t, f, err, "i")

	s = openWith(t, dir, Options{MaxBytes: 10, Now: clock.now})
	commit(t, s, "cccccc")

	wantFiles(t, s, "derived/index/"+digestOf("aaa").Encoded(), "sha256/"+digestOf("aaa").Encoded(),
		"sha256/"+digestOf("cccccc").Encoded())
}

func TestWhatIsDerivedGoesWithItsBlob(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: newClock().now})
	commit(t, s, "aaa")
	derive(t, s, "index", digestOf("aaa"), "i")
	derive(t, s, "objects", digestOf("aaa"), "oo")
	commit(t, s, "bbb")
	derive(t, s, "index", digestOf("bbb"), "ii") // it is used by that, and crosses the limit
	wantFiles(t, s, "derived/index/"+digestOf("bbb").Encoded(), "sha256/"+digestOf("bbb").Encoded())
}

func TestWhatIsReplacedDoesNotCountTwice(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: newClock().now})
	commit(t, s, "aaa")
	commit(t, s, "bbb")
	derive(t, s, "index", digestOf("bbb"), "1234")
	derive(t, s, "index", digestOf("bbb"), "5678")
	wantBlobs(t, s, "aaa", "bbb")
}

func TestDeriveDoesNotEvictItsOwnBlob(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: newClock().now})
	commit(t, s, "aaaaaa")
	err := s.Derive(t.Context(), "index", digestOf("aaaaaa"), func(w io.Writer) error {
		_, err := io.WriteString(w, "12345")
		return err
	})
	wantNoRoom(t, s, err, "write index of "+digestOf("aaaaaa").String())
	wantBlobs(t, s, "aaaaaa")
}

func TestWhatIsPinnedIsNotEvicted(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: newClock().now})
	release := s.Pin(digestOf("aaa"), digestOf("later"))
	again := s.Pin(digestOf("aaa"))
	commit(t, s, "aaa")
	commit(t, s, "bbb")
	commit(t, s, "later")
	wantBlobs(t, s, "aaa", "later")

	_, err := s.Commit(t.Context(), digestOf("new"), strings.NewReader("new"), 3)
	wantNoRoom(t, s, err, "write blob "+digestOf("new").String())
	wantBlobs(t, s, "aaa", "later")

	release()
	release() // a second time does nothing
	commit(t, s, "new")
	wantBlobs(t, s, "aaa", "new")
	again()
	commit(t, s, "123456789")
	wantBlobs(t, s, "123456789")
}

func TestNothingIsEvictedForWhatDoesNotFitAnyhow(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: newClock().now})
	commit(t, s, "pinned")
	defer s.Pin(digestOf("pinned"))()
	commit(t, s, "free")
	_, err := s.Commit(t.Context(), digestOf("large"), strings.NewReader("large"), 5)
	wantNoRoom(t, s, err, "write blob "+digestOf("large").String())
	wantBlobs(t, s, "free", "pinned")
}

func TestWhatTheStoreCannotHoldIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 10})
	_, err := s.Commit(t.Context(), digestOf("x"), io.MultiReader(strings.NewReader("12345678901"),
		iotest.ErrReader(errTorn)), 100)
	wantNoRoom(t, s, err)
	s = openWith(t, t.TempDir(), Options{MaxBytes: bufferSize + 10})
	from := &remote{content: strings.Repeat("x", 2*bufferSize), validator: "v1", ranges: true}
	_, err = s.Resume(t.Context(), digestOf("x"), place, from.open, 2*bufferSize)
	wantNoRoom(t, s, err)
	wantFiles(t, s)
}

func TestADownloadThatFindsNoRoomIsNotDownloadedAgain(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 30, Now: time.Now})
	commit(t, s, "pinned")
	release := s.Pin(digestOf("pinned"))
	from := &remote{content: wholeText, validator: "v1", ranges: true}
	_, err := s.Resume(t.Context(), wholeDigest, place, from.open, 30)
	wantNoRoom(t, s, err, "write blob "+wholeDigest.String())
	for range 10 {
		_, err = s.Resume(t.Context(), wholeDigest, place, from.open, 30)
		wantNoRoom(t, s, err, "write blob "+wholeDigest.String())
	}
	from.wantAsked(t, Partial{})
	wantFiles(t, s, "sha256/"+digestOf("pinned").Encoded()) // it takes no room meanwhile

	release()
	if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, 30); err != nil {
		t.Fatal(err)
	}
	from.wantAsked(t, Partial{}, Partial{})
	wantFiles(t, s, blobFile)
}

func TestFilesThatAreNotOursAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: newClock().now})
	derive(t, s, "index", digestOf("aaa"), "i")
	for _, name := range []string{"sha256/README", "derived/index/lost+found", "derived/note"} {
		write(t, filepath.Join(s.dir, name), "not ours")
	}
	commit(t, s, "0123456789")
	wantFiles(t, s, "derived/index/lost+found", "derived/note", "sha256/"+digestOf("0123456789").Encoded(),
		"sha256/README")
}

func TestWhatAnotherStoreEvictedIsNotThere(t *testing.T) {
	t.Parallel()
	clock := newClock()
	dir := t.TempDir()
	first := openWith(t, dir, Options{MaxBytes: 10, Now: clock.now})
	second := openWith(t, dir, Options{MaxBytes: 10, Now: clock.now})
	commit(t, first, "aaaaaa")
	reading, err := first.Open(digestOf("aaaaaa"))
	if err != nil {
		t.Fatal(err)
	}
	commit(t, second, "bbbbbb")

	if _, ok := first.Has(digestOf("aaaaaa")); ok {
		t.Error("Has: want false")
	}
	if _, err := first.Open(digestOf("aaaaaa")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open: want %v, got %v", fs.ErrNotExist, err)
	}
	wantContent(t, reading, nil, "aaaaaa")
	commit(t, first, "aaaaaa")
	wantBlobs(t, second, "aaaaaa")
}

func TestStoresOfOneDirectoryStayBelowTheLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := digestOf("kept")
	stores := []*Store{openWith(t, dir, Options{MaxBytes: 64}), openWith(t, dir, Options{MaxBytes: 64})}
	commit(t, stores[0], "kept")
	for _, s := range stores {
		defer s.Pin(kept)()
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			s := stores[i%len(stores)]
			for j := range 8 {
				content := fmt.Sprintf("%02d and %02d", i, j)
				d := digestOf(content)
				if _, err := s.Commit(t.Context(), d, strings.NewReader(content), 64); err != nil {
					t.Errorf("Commit: %v", err)
				}
				if err := s.Derive(t.Context(), "index", d, func(w io.Writer) error { return nil }); err != nil {
					t.Errorf("Derive: %v", err)
				}
			}
		})
	}
	wg.Wait()
	commit(t, stores[0], "last")
	held, err := stores[0].list()
	if err != nil {
		t.Fatal(err)
	}
	if held.bytes > 64 {
		t.Errorf("want at most 64 bytes, got %d", held.bytes)
	}
	if _, ok := stores[0].Has(kept); !ok {
		t.Error("want what is pinned to stay")
	}
}

func TestOpenWithRefusesANegativeLimit(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.TempDir(), Options{MaxBytes: -1}); err == nil || !strings.Contains(err.Error(), "-1 bytes") {
		t.Errorf("want an error that names the limit, got %v", err)
	}
}

func TestUsesAreMarkedOnceAMinute(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := openWith(t, t.TempDir(), Options{Now: clock.now})
	d := commit(t, s, "aaa")
	marked := func() time.Time {
		f, err := s.Open(d)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		stat, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return stat.ModTime()
	}
	first := marked()
	if second := marked(); !second.Equal(first) {
		t.Errorf("want no second mark within a minute, got %v after %v", second, first)
	}
	clock.set(first.Add(time.Minute))
	if third := marked(); !third.After(first) {
		t.Errorf("want a mark after a minute, got %v after %v", third, first)
	}
}

func opens(contents ...string) func(*testing.T, *Store) {
	return func(t *testing.T, s *Store) {
		t.Helper()
		for _, content := range contents {
			f, err := s.Open(digestOf(content))
			wantContent(t, f, err, content)
		}
	}
}

func openWith(t *testing.T, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	s.block, s.askEvery, s.listEvery = 1, 1, 0 // so that single bytes matter, and what another process does
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func digestOf(content string) digest.Digest { return digest.FromString(content) }

// wantBlobs compares the blobs of the store with want.
func wantBlobs(t *testing.T, s *Store, want ...string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, content := range want {
		wanted[digestOf(content).Encoded()] = true
		if _, ok := s.Has(digestOf(content)); !ok {
			t.Errorf("want %q in the store", content)
		}
	}
	entries, err := fs.ReadDir(s.root.FS(), blobDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !wanted[entry.Name()] {
			t.Errorf("want no blob %s in the store", entry.Name())
		}
	}
}

func wantNoRoom(t *testing.T, s *Store, err error, texts ...string) {
	t.Helper()
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, append(texts, "cache directory "+s.dir,
		fmt.Sprintf("the limit of %d bytes (flag --cache-max-bytes) leaves no room", s.maxBytes))...)
}

// testClock is a clock that goes on by a second with every look at it.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *testClock { return &testClock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Second)
	return c.at
}

func (c *testClock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}
