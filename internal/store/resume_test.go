package store

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

const (
	wholeText = "kind: Namespace, and more"
	firstPart = "kind: Name"
)

var (
	wholeDigest = digest.FromString(wholeText)
	blobFile    = "sha256/" + wholeDigest.Encoded()
	partFile    = "partial/" + wholeDigest.Encoded()
	tagFile     = partFile + ".validator"
)

func TestResumeDownloadsWhatIsNotThere(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenContent   string
		givenValidator string
	}{
		"a file with a validator":    {givenContent: wholeText, givenValidator: "v1"},
		"a file without a validator": {givenContent: wholeText},
		"a file of several buffers":  {givenContent: strings.Repeat("0123456789", bufferSize/4), givenValidator: "v1"},
		"an empty file":              {givenValidator: "v1"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			from := &remote{content: tc.givenContent, validator: tc.givenValidator, ranges: true}
			d := digest.FromString(tc.givenContent)
			size, err := s.Resume(t.Context(), d, place, from.open, int64(len(tc.givenContent)))
			if err != nil || size != int64(len(tc.givenContent)) {
				t.Fatalf("want %d bytes, got %d, %v", len(tc.givenContent), size, err)
			}
			from.wantAsked(t, Partial{})
			f, err := s.Open(d)
			wantContent(t, f, err, tc.givenContent)
			wantFiles(t, s, "sha256/"+d.Encoded())
		})
	}
}

func TestResumeDoesNotOpenWhatIsThereAlready(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	commit(t, s, wholeText)
	from := &remote{content: wholeText}
	size, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100)
	if err != nil || size != int64(len(wholeText)) {
		t.Errorf("want %d bytes, got %d, %v", len(wholeText), size, err)
	}
	_, err = s.Resume(t.Context(), wholeDigest, place, from.open, 4)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, wholeDigest.String(), "limit of 4 bytes")
	from.wantAsked(t)
}

func TestADownloadGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	changed := "kind: Other, which is longer than the first one"
	tests := map[string]struct {
		given     remote // the second time
		wantAsked []Partial
		wantErr   bool
	}{
		"the server has the rest": {
			given:     remote{content: wholeText, validator: "v1", ranges: true},
			wantAsked: []Partial{{10, "v1"}},
		},
		"the server knows no ranges": {
			given:     remote{content: wholeText, validator: "v1"},
			wantAsked: []Partial{{10, "v1"}},
		},
		"the server has a new validator for the same file": {
			given:     remote{content: wholeText, validator: "v2", ranges: true},
			wantAsked: []Partial{{10, "v1"}},
		},
		"the server has another file": {
			given:     remote{content: changed, validator: "v2", ranges: true},
			wantAsked: []Partial{{10, "v1"}}, wantErr: true,
		},
		"the server has another file under the same validator": {
			given:     remote{content: changed, validator: "v1", ranges: true},
			wantAsked: []Partial{{10, "v1"}, {}}, wantErr: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := interrupted(t)
			s := open(t, dir)
			size, err := s.Resume(t.Context(), wholeDigest, place, tc.given.open, 100)
			tc.given.wantAsked(t, tc.wantAsked...)
			if tc.wantErr {
				faulttest.Want(t, err, fault.ClassStall, v1alpha1.DigestMismatchReason, wholeDigest.String())
				wantFiles(t, s)
				return
			}
			if err != nil || size != int64(len(wholeText)) {
				t.Errorf("want %d bytes, got %d, %v", len(wholeText), size, err)
			}
			f, err := s.Open(wholeDigest)
			wantContent(t, f, err, wholeText)
			wantFiles(t, s, blobFile)
		})
	}
}

func TestADownloadThatIsInterruptedAgainGoesOnFromThere(t *testing.T) {
	t.Parallel()
	s := open(t, interrupted(t))
	again := &remote{content: wholeText, validator: "v1", ranges: true, cut: 5}
	_, err := s.Resume(t.Context(), wholeDigest, place, again.open, 100)
	if !errors.Is(err, errTorn) {
		t.Errorf("want %v, got %v", errTorn, err)
	}
	unreachable := func(context.Context, Partial) (Body, error) { return Body{}, errTorn }
	if _, err = s.Resume(t.Context(), wholeDigest, place, unreachable, 100); !errors.Is(err, errTorn) {
		t.Errorf("want %v, got %v", errTorn, err)
	}
	wantFiles(t, s, partFile, tagFile)

	last := &remote{content: wholeText, validator: "v1", ranges: true}
	if _, err := s.Resume(t.Context(), wholeDigest, place, last.open, 100); err != nil {
		t.Fatal(err)
	}
	last.wantAsked(t, Partial{15, "v1"})
	wantFiles(t, s, blobFile)
}

func TestAPartialDownloadThatIsDamagedIsStartedAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenPart, givenTag string
		wantAsked           []Partial
	}{
		"a flipped bit": {
			givenPart: "kinD: Name", givenTag: "v1",
			wantAsked: []Partial{{10, "v1"}, {}},
		},
		"bytes of another file that is longer": {
			givenPart: strings.Repeat("x", len(wholeText)+1), givenTag: "v1",
			wantAsked: []Partial{{int64(len(wholeText)) + 1, "v1"}, {}},
		},
		"more bytes than the limit": {
			givenPart: strings.Repeat("x", 101), givenTag: "v1",
			wantAsked: []Partial{{}},
		},
		"no validator":            {givenPart: firstPart, wantAsked: []Partial{{}}},
		"a validator out of size": {givenPart: firstPart, givenTag: strings.Repeat("v", 1025), wantAsked: []Partial{{}}},
		"a validator alone":       {givenTag: "v1", wantAsked: []Partial{{}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			write(t, filepath.Join(s.dir, partFile), tc.givenPart)
			write(t, filepath.Join(s.dir, tagFile), tc.givenTag)
			from := &remote{content: wholeText, validator: "v1", ranges: true}
			if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100); err != nil {
				t.Fatal(err)
			}
			from.wantAsked(t, tc.wantAsked...)
			f, err := s.Open(wholeDigest)
			wantContent(t, f, err, wholeText)
			wantFiles(t, s, blobFile)
		})
	}
}

func TestACompleteDownloadWithoutItsNameIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	write(t, filepath.Join(s.dir, partFile), wholeText)
	write(t, filepath.Join(s.dir, tagFile), "v1")
	from := &remote{content: wholeText}
	size, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100)
	if err != nil || size != int64(len(wholeText)) {
		t.Errorf("want %d bytes, got %d, %v", len(wholeText), size, err)
	}
	from.wantAsked(t)
	wantFiles(t, s, blobFile)
}

func TestWhatCannotGoOnIsNotKept(t *testing.T) {
	t.Parallel()
	terminal := fault.Stall(v1alpha1.LimitExceededReason, errTorn)
	tests := map[string]struct {
		given      remote
		givenLimit int64
		wantClass  fault.Class
		wantReason string
	}{
		"bytes without a validator": {
			given:      remote{content: wholeText, ranges: true, cut: 10},
			givenLimit: 100,
		},
		"a validator out of size": {
			given:      remote{content: wholeText, validator: strings.Repeat("v", 1025), cut: 10},
			givenLimit: 100,
		},
		"no bytes": {
			given:      remote{content: wholeText, validator: "v1", cut: -1},
			givenLimit: 100,
		},
		"an error that is terminal": {
			given:      remote{content: wholeText, validator: "v1", cut: 10, err: terminal},
			givenLimit: 100, wantClass: fault.ClassStall, wantReason: v1alpha1.LimitExceededReason,
		},
		"one byte over the limit": {
			given:      remote{content: wholeText, validator: "v1"},
			givenLimit: int64(len(wholeText)) - 1,
			wantClass:  fault.ClassStall, wantReason: v1alpha1.LimitExceededReason,
		},
		"other bytes": {
			given:      remote{content: "other", validator: "v1"},
			givenLimit: 100, wantClass: fault.ClassStall, wantReason: v1alpha1.DigestMismatchReason,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			_, err := s.Resume(t.Context(), wholeDigest, place, tc.given.open, tc.givenLimit)
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, "blob "+wholeDigest.String())
			tc.given.wantAsked(t, Partial{})
			wantFiles(t, s)
		})
	}
}

func TestTheLimitCountsFromTheBeginningOfTheFile(t *testing.T) {
	t.Parallel()
	from := &remote{content: wholeText, validator: "v1", ranges: true}
	s := open(t, interrupted(t))
	_, err := s.Resume(t.Context(), wholeDigest, place, from.open, int64(len(wholeText))-1)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "limit of 24 bytes")
	from.wantAsked(t, Partial{10, "v1"})
	wantFiles(t, s)

	s = open(t, interrupted(t))
	if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, int64(len(wholeText))); err != nil {
		t.Errorf("want a file as large as the limit to be kept, got %v", err)
	}
}

func TestResumeKeepsWhatCameBeforeTheContextWasDone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Resume(ctx, wholeDigest, place, func(context.Context, Partial) (Body, error) {
		r := io.MultiReader(strings.NewReader(firstPart), readerFunc(func([]byte) (int, error) {
			cancel()
			return 0, nil
		}), endless{})
		return Body{ReadCloser: io.NopCloser(r), Validator: "v1"}, nil
	}, 1<<40)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("want %v, got %v", context.Canceled, err)
	}
	wantFiles(t, s, partFile, tagFile)
}

func TestASourceThatBeginsElsewhereIsABug(t *testing.T) {
	t.Parallel()
	s := open(t, interrupted(t))
	_, err := s.Resume(t.Context(), wholeDigest, place, func(context.Context, Partial) (Body, error) {
		return Body{ReadCloser: io.NopCloser(strings.NewReader("x")), Offset: 3}, nil
	}, 100)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.InternalErrorReason, "byte 3")
}

func TestTwoStoresResumeTheSameDigestAtOnce(t *testing.T) {
	t.Parallel()
	dir := interrupted(t)
	first, second := open(t, dir), open(t, dir)
	outer := &remote{content: wholeText, validator: "v1", ranges: true}
	inner := &remote{content: wholeText, validator: "v1", ranges: true}
	_, err := first.Resume(t.Context(), wholeDigest, place, func(ctx context.Context, have Partial) (Body, error) {
		if _, err := second.Resume(ctx, wholeDigest, place, inner.open, 100); err != nil {
			t.Errorf("the second: %v", err)
		}
		return outer.open(ctx, have)
	}, 100)
	if err != nil {
		t.Errorf("the first: %v", err)
	}
	outer.wantAsked(t, Partial{10, "v1"})
	inner.wantAsked(t, Partial{})
	f, err := second.Open(wholeDigest)
	wantContent(t, f, err, wholeText)
	wantFiles(t, first, blobFile)
}

func TestTheSecondOfTwoStoresLeavesThePartialDownloadAlone(t *testing.T) {
	t.Parallel()
	dir := interrupted(t)
	first, second := open(t, dir), open(t, dir)
	p, err := first.lockPartial(wholeDigest)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close(true)
	from := &remote{content: wholeText, validator: "v1", cut: 5}
	if _, err := second.Resume(t.Context(), wholeDigest, place, from.open, 100); !errors.Is(err, errTorn) {
		t.Errorf("want %v, got %v", errTorn, err)
	}
	elsewhere := func(context.Context, Partial) (Body, error) {
		return Body{ReadCloser: io.NopCloser(strings.NewReader("x")), Offset: 10}, nil
	}
	_, err = second.Resume(t.Context(), wholeDigest, place, elsewhere, 100)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.InternalErrorReason, "byte 10")
	wantFiles(t, first, partFile, tagFile)
}

func TestResumeSeesWhatSomebodyElseFinishedMeanwhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	s.openPartial = func(root *os.Root, name string) (partialFile, error) {
		commit(t, other, wholeText)
		return openPartial(root, name)
	}
	from := &remote{content: wholeText}
	size, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100)
	if err != nil || size != int64(len(wholeText)) {
		t.Errorf("want %d bytes, got %d, %v", len(wholeText), size, err)
	}
	from.wantAsked(t)
	wantFiles(t, s, blobFile)
}

func TestADiskThatFailsGetsThePartialDownloadsSpaceBack(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given    brokenPartial
		givenErr error // of opening
		wantText string
	}{
		"a full disk":             {given: brokenPartial{write: syscall.ENOSPC}, wantText: "give the volume more space"},
		"a disk that cannot sync": {given: brokenPartial{sync: syscall.EIO}, wantText: "input/output error"},
		"a disk that cannot truncate": {
			given: brokenPartial{truncate: syscall.EIO}, wantText: "input/output error",
		},
		"a disk that cannot seek": {given: brokenPartial{seek: syscall.EIO}, wantText: "input/output error"},
		"a read-only volume": {
			givenErr: &os.PathError{Op: "openat", Path: "random", Err: syscall.EROFS},
			wantText: "mount the volume writable",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			s.openPartial = func(root *os.Root, name string) (partialFile, error) {
				if tc.givenErr != nil {
					return nil, tc.givenErr
				}
				f, err := openPartial(root, name)
				tc.given.partialFile = f
				return &tc.given, err
			}
			from := &remote{content: wholeText, validator: "v1"}
			_, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100)
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason,
				"cache directory "+s.dir, "write blob "+wholeDigest.String(), tc.wantText)
			wantStable(t, err)
			wantFiles(t, s)
		})
	}
}

func TestAPartialDownloadThatCannotBeReadIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := open(t, interrupted(t))
	s.openPartial = func(root *os.Root, name string) (partialFile, error) {
		f, err := openPartial(root, name)
		return &brokenPartial{partialFile: f, read: syscall.EIO}, err
	}
	from := &remote{content: wholeText, validator: "v1", ranges: true}
	if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100); err != nil {
		t.Fatal(err)
	}
	from.wantAsked(t, Partial{})
	wantFiles(t, s, blobFile)
}

// interrupted returns a directory in which a process was killed when it had
// downloaded the first part.
func interrupted(t *testing.T) (dir string) {
	t.Helper()
	s := open(t, t.TempDir())
	from := &remote{content: wholeText, validator: "v1", ranges: true, cut: len(firstPart)}
	if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100); !errors.Is(err, errTorn) {
		t.Fatalf("want %v, got %v", errTorn, err)
	}
	wantFiles(t, s, partFile, tagFile)
	return s.dir
}

// remote is a file on a server.
type remote struct {
	content, validator string
	ranges             bool // goes on in the middle
	cut                int  // how many bytes come before err, less than 0 for none; 0 is no cut
	err                error
	asked              []Partial
}

func (r *remote) open(_ context.Context, have Partial) (Body, error) {
	r.asked = append(r.asked, have)
	offset := int64(0)
	if r.ranges && have.Validator == r.validator {
		offset = have.Offset
	}
	rest := r.content[min(offset, int64(len(r.content))):]
	if r.cut == 0 {
		return Body{ReadCloser: io.NopCloser(strings.NewReader(rest)), Offset: offset, Validator: r.validator}, nil
	}
	err := r.err
	if err == nil {
		err = errTorn
	}
	torn := io.MultiReader(strings.NewReader(rest[:max(0, r.cut)]), iotest.ErrReader(err))
	return Body{ReadCloser: io.NopCloser(torn), Offset: offset, Validator: r.validator}, nil
}

func (r *remote) wantAsked(t *testing.T, want ...Partial) {
	t.Helper()
	if diff := cmp.Diff(want, r.asked); diff != "" {
		t.Errorf("what was asked for (-want +got):\n%s", diff)
	}
}

// brokenPartial is a partialFile that fails where it is told to.
type brokenPartial struct {
	partialFile
	read, write, sync, truncate, seek error
}

func (f *brokenPartial) Read(p []byte) (int, error) {
	if f.read != nil {
		return 0, f.read
	}
	return f.partialFile.Read(p)
}

func (f *brokenPartial) Write(p []byte) (int, error) {
	if f.write != nil {
		n, _ := f.partialFile.Write(p[:len(p)/2])
		return n, f.write
	}
	return f.partialFile.Write(p)
}

func (f *brokenPartial) Sync() error {
	if f.sync != nil {
		return f.sync
	}
	return f.partialFile.Sync()
}

func (f *brokenPartial) Truncate(size int64) error {
	if f.truncate != nil {
		return f.truncate
	}
	return f.partialFile.Truncate(size)
}

func (f *brokenPartial) Seek(offset int64, whence int) (int64, error) {
	if f.seek != nil {
		return 0, f.seek
	}
	return f.partialFile.Seek(offset, whence)
}
