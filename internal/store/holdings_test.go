package store

import (
	"errors"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newAccounted returns a store that lists its directory once.
func newAccounted(t *testing.T) *Store {
	t.Helper()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 120, Now: newClock().now})
	s.listEvery = listEvery
	commit(t, s, "first") // which lists it
	return s
}

func TestTheAccountIsThatOfTheDisk(t *testing.T) {
	t.Parallel()
	fail := errors.New("the source fails")
	tests := map[string]func(t *testing.T, s *Store){
		"a blob": func(t *testing.T, s *Store) { t.Helper(); commit(t, s, "second") },
		"a blob that fails": func(t *testing.T, s *Store) {
			t.Helper()
			_, _ = s.Commit(t.Context(), digestOf("x"), strings.NewReader("another"), 100)
		},
		"a derived file": func(t *testing.T, s *Store) { t.Helper(); derive(t, s, "index", digestOf("first"), "i") },
		"a derived file that fails": func(t *testing.T, s *Store) {
			t.Helper()
			_ = s.Derive(t.Context(), "index", digestOf("first"), func(w io.Writer) error {
				_, err := io.WriteString(w, "half")
				return errors.Join(fail, err)
			})
		},
		"a derived file that is replaced": func(t *testing.T, s *Store) {
			t.Helper()
			derive(t, s, "index", digestOf("first"), "long")
			derive(t, s, "index", digestOf("first"), "i")
		},
		"a download": func(t *testing.T, s *Store) {
			t.Helper()
			from := &remote{content: wholeText, validator: "v1", ranges: true}
			if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100); err != nil {
				t.Fatal(err)
			}
		},
		"a download that breaks off and one that goes on": func(t *testing.T, s *Store) {
			t.Helper()
			from := &remote{content: wholeText, validator: "v1", ranges: true, cut: 10}
			if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100); err == nil {
				t.Fatal("want it to break off")
			}
			wantAccount(t, s)
			from.cut = 0
			if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100); err != nil {
				t.Fatal(err)
			}
		},
		"what is removed": func(t *testing.T, s *Store) {
			t.Helper()
			derive(t, s, "index", digestOf("first"), "i")
			if err := s.Remove(digestOf("first")); err != nil {
				t.Fatal(err)
			}
		},
		"what is evicted": func(t *testing.T, s *Store) { t.Helper(); commit(t, s, strings.Repeat("x", 118)) },
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAccounted(t)
			given(t, s)
			wantAccount(t, s)
		})
	}
}

// wantAccount compares what the store takes for held with what is there.
func wantAccount(t *testing.T, s *Store) {
	t.Helper()
	listed, err := s.list()
	if err != nil {
		t.Fatal(err)
	}
	files := func(h *holdings) map[string]int64 {
		all := map[string]int64{"": h.bytes}
		maps.Copy(all, h.temps)
		for _, e := range h.entries {
			maps.Copy(all, e.files)
		}
		return all
	}
	if diff := cmp.Diff(files(listed), files(s.held)); diff != "" {
		t.Errorf("the account (-disk +account):\n%s", diff)
	}
}

func TestTheDirectoryIsListedOnceAMinute(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 30, Now: clock.now})
	s.listEvery = listEvery
	commit(t, s, "first")
	write(t, filepath.Join(s.dir, "tmp", "other"), strings.Repeat("x", 30))
	commit(t, s, "second")

	clock.set(clock.now().Add(listEvery))
	_, err := s.Commit(t.Context(), digestOf("third"), strings.NewReader("third"), 5)
	wantNoRoom(t, s, err)
}
