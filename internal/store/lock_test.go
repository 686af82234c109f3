package store

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// gate is a file on a server that answers nobody before it is opened.
type gate struct {
	opened chan struct{}
	err    error // of the first answer

	mu    sync.Mutex
	asked int
}

// place is where the files of the tests are downloaded from.
const place = "https://example.com/whole"

func newGate(err error) *gate { return &gate{opened: make(chan struct{}), err: err} }

func (g *gate) open(ctx context.Context, _ Partial) (Body, error) {
	g.mu.Lock()
	g.asked++
	first := g.asked == 1
	g.mu.Unlock()
	select {
	case <-g.opened:
	case <-ctx.Done():
		return Body{}, context.Cause(ctx)
	}
	if first && g.err != nil {
		return Body{}, g.err
	}
	return Body{ReadCloser: io.NopCloser(strings.NewReader(wholeText))}, nil
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// resume calls Resume in the background and returns where its error arrives.
func resume(ctx context.Context, s *Store, g *gate) <-chan error {
	return resumeFrom(ctx, s, place, g)
}

func resumeFrom(ctx context.Context, s *Store, place string, g *gate) <-chan error {
	done := make(chan error, 1)
	go func() {
		size, err := s.Resume(ctx, wholeDigest, place, g.open, 100)
		if err == nil && size != int64(len(wholeText)) {
			err = io.ErrShortWrite
		}
		done <- err
	}()
	return done
}

func TestConcurrentDownloadsOfOneDigest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenErr   error // of the first download
		wantAsked  int
		wantFailed int
	}{
		"are one download":                          {wantAsked: 1},
		"are another one after one that has failed": {givenErr: errTorn, wantAsked: 2, wantFailed: 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s, server := open(t, dir), newGate(tc.givenErr)
				results := []<-chan error{
					resume(t.Context(), s, server), resume(t.Context(), s, server), resume(t.Context(), s, server),
				}
				synctest.Wait()
				if got := server.count(); got != 1 {
					t.Errorf("want one download while it lasts, got %d", got)
				}
				close(server.opened)
				failed := 0
				for _, done := range results {
					switch err := <-done; {
					case errors.Is(err, errTorn):
						failed++
					case err != nil:
						t.Error(err)
					}
				}
				if got := server.count(); got != tc.wantAsked || failed != tc.wantFailed {
					t.Errorf("want %d downloads and %d errors, got %d and %d", tc.wantAsked, tc.wantFailed, got, failed)
				}
				f, err := s.Open(wholeDigest)
				wantContent(t, f, err, wholeText)
				wantFiles(t, s, blobFile)
			})
		})
	}
}

func TestAWaitForADownloadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, server := open(t, dir), newGate(nil)
		first := resume(t.Context(), s, server)
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(t.Context())
		second := resume(ctx, s, server)
		synctest.Wait()

		cancel(errTorn)
		err := <-second // though the first is not done

		if !errors.Is(err, errTorn) || !strings.Contains(err.Error(), wholeDigest.String()) {
			t.Errorf("want the digest and %v, got %v", errTorn, err)
		}
		close(server.opened)
		if err := <-first; err != nil {
			t.Error(err)
		}
		if got := server.count(); got != 1 {
			t.Errorf("want one download, got %d", got)
		}
	})
}

func TestASecondPlaceIsTriedWhileTheFirstIsSilent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, silent, good := open(t, dir), newGate(nil), newGate(nil)
		first := resume(t.Context(), s, silent)
		synctest.Wait()
		close(good.opened)

		if err := <-resumeFrom(t.Context(), s, "https://mirror.example.com/whole", good); err != nil {
			t.Errorf("want the bytes of the second place, got %v", err)
		}

		f, err := s.Open(wholeDigest)
		wantContent(t, f, err, wholeText)
		close(silent.opened)
		if err := <-first; err != nil {
			t.Error(err)
		}
		wantFiles(t, s, blobFile)
	})
}

func TestWhatIsDerivedFromADigestIsMadeByOneAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		first, err := s.LockDigest(t.Context(), wholeDigest, "team")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error)
		go func() {
			second, err := s.LockDigest(t.Context(), wholeDigest, "team")
			if err == nil {
				second.Unlock()
			}
			got <- err
		}()
		synctest.Wait()
		select {
		case err := <-got:
			t.Errorf("want the second to wait for the first, got %v", err)
		default:
		}
		first.Unlock()
		if err := <-got; err != nil {
			t.Error(err)
		}
		if left := len(s.locks.released); left != 0 {
			t.Errorf("want no lock left, got %d", left)
		}
	})
}

func TestWhatANamespaceDerivesDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, namespace := range []string{"team", "other-team"} {
		lock, err := s.LockDigest(t.Context(), wholeDigest, namespace)
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Unlock()
	}
}

func TestADownloadDoesNotWaitForWhatIsDerived(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	lock, err := s.LockDigest(t.Context(), wholeDigest, "team")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	from := &remote{content: wholeText}
	if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100); err != nil {
		t.Error(err)
	}
}

func TestWhatIsThereIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	commit(t, s, wholeText)
	lock, err := s.lockDownload(t.Context(), wholeDigest, place)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if _, err := s.Resume(t.Context(), wholeDigest, place, (&remote{}).open, 100); err != nil {
		t.Error(err)
	}
}
