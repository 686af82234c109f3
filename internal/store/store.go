package store

import (
	_ "crypto/sha256" // registers the only algorithm of digests that is accepted
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Folders of the cache directory.
const (
	blobDir    = "sha256"
	tempDir    = "tmp"
	derivedDir = "derived"
	partialDir = "partial"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// kindPattern matches the kinds of derived files: one plain element of a path.
var kindPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Options are the optional settings of Open.
type Options struct {
	// MaxBytes bounds what is in the directory (flag --cache-max-bytes): blobs, what is
	// derived from them, partial downloads, files in the making, and scratch files. The
	// limit is never more than four fifths of the volume, which zero stands for.
	MaxBytes int64

	// NamespacePercent is how much of the limit a namespace may hold (flag
	// --cache-namespace-max-percent). Zero means all.
	NamespacePercent int

	// Now returns the time by which files are used and age. Nil means time.Now.
	Now func() time.Time
}

// Store is a cache directory. Its methods may be called concurrently, and other
// processes may use the same directory.
type Store struct {
	dir      string
	root     *os.Root
	maxBytes int64
	percent  int
	share    int64 // of a namespace, in bytes
	now      func() time.Time

	// Replaced by tests that inject faults.
	create      func(*os.Root) (tempFile, string, error)
	openPartial func(*os.Root, string) (partialFile, error)
	askEvery    int64
	block       int64
	listEvery   time.Duration

	// locks has what a caller works on.
	locks locks

	// publishing is held while room is made for a file and it gets its name: two
	// files that each fit alone may not fit together. It is taken before mu.
	publishing sync.Mutex
	held       *holdings // guarded by publishing; nil before the first listing

	// scratch is how many bytes are in scratch files.
	scratch atomic.Int64
	// short has the sizes, at least, of blobs that did not fit in.
	short *lru.Cache

	mu    sync.Mutex
	pins  map[digest.Digest]int                                // guarded by mu
	uses  map[digest.Digest]usage                              // guarded by mu
	made  map[string]content                                   // derived files by their name; guarded by mu
	named map[digest.Digest]map[types.NamespacedName]time.Time // by which Bundles, when last; guarded by mu
}

// Open returns the Store in dir. It creates what is missing, checks that
// files can be written, and removes what killed processes left half written and
// partial downloads that were not resumed for a day. An error has the reason
// StoreFailed, unless an option is invalid.
func Open(dir string, opts Options) (*Store, error) {
	if opts.MaxBytes < 0 {
		return nil, fmt.Errorf("cache directory %s: the limit of %d bytes is negative", dir, opts.MaxBytes)
	}
	if opts.NamespacePercent < 0 || opts.NamespacePercent > 100 {
		return nil, fmt.Errorf("cache directory %s: a namespace cannot have %d %% of it", dir, opts.NamespacePercent)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{
		dir: dir, maxBytes: opts.MaxBytes, percent: opts.NamespacePercent, now: opts.Now,
		create: createTemp, openPartial: openPartial, askEvery: askEvery, block: blockSize, listEvery: listEvery, short: lru.New(maxShort),
		locks: locks{released: map[key]chan struct{}{}},
		pins:  map[digest.Digest]int{}, uses: map[digest.Digest]usage{}, made: map[string]content{},
		named: map[digest.Digest]map[types.NamespacedName]time.Time{},
	}
	if err := s.open(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open() error {
	if err := os.MkdirAll(s.dir, dirMode); err != nil {
		return s.failed("create", err)
	}
	var err error
	if s.root, err = os.OpenRoot(s.dir); err != nil {
		return s.failed("open", err)
	}
	size, err := volumeSize(s.dir)
	if err != nil {
		return s.failed("ask for the size of the volume", err)
	}
	s.maxBytes = limitOf(s.maxBytes, size)
	s.share = shareOf(s.maxBytes, s.percent)
	for _, name := range []string{blobDir, tempDir, derivedDir, partialDir} {
		if err := s.root.MkdirAll(name, dirMode); err != nil {
			return s.failed("create "+name, err)
		}
	}
	if err := sweep(s.root); err != nil {
		return s.failed("sweep "+tempDir, err)
	}
	if err := s.sweepPartials(); err != nil {
		return s.failed("sweep "+partialDir, err)
	}
	return s.probe()
}

// Close releases the directory. Files that were opened stay open. The error is that
// of the file system.
func (s *Store) Close() error {
	if s.root == nil {
		return nil
	}
	return s.root.Close()
}

// Has returns the size in bytes of the blob with digest d, and whether the
// store has it.
func (s *Store) Has(d digest.Digest) (size int64, ok bool) {
	name, err := blobPath(d)
	if err != nil {
		return 0, false
	}
	stat, err := s.root.Lstat(name)
	if err != nil || !stat.Mode().IsRegular() {
		return 0, false
	}
	return stat.Size(), true
}

// Open opens the blob with digest d for reading, which counts as a use of it. Its
// bytes are compared with the digest first: others may have written to the volume,
// or it is damaged. A blob with other bytes is removed, and the error says so.
// The error satisfies errors.Is(err, fs.ErrNotExist) when the store does not
// have it. Neither Remove nor an eviction disturbs a file that is open.
func (s *Store) Open(d digest.Digest) (*os.File, error) {
	name, err := blobPath(d)
	if err != nil {
		return nil, err
	}
	f, err := s.openFile("open blob "+d.String(), name, d)
	if err != nil {
		return nil, err
	}
	if err := s.verify(d, f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Remove removes the blob with digest d and everything derived from it, pinned
// or not: it is for damaged files. A file that does not exist is no error.
func (s *Store) Remove(d digest.Digest) error {
	blob, err := blobPath(d)
	if err != nil {
		return err
	}
	kinds, err := s.kinds()
	if err != nil {
		return err
	}
	names := make([]string, 0, len(kinds)+1)
	for _, kind := range kinds {
		names = append(names, path.Join(kind, d.Encoded()))
	}
	s.publishing.Lock()
	defer s.publishing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(d, append(names, blob))
}

// remove removes the files of d. In names the derived files must come before the
// blob: a process that is killed in between then leaves a blob without derived
// files, never the other way round. The caller holds publishing and mu.
func (s *Store) remove(d digest.Digest, names []string) error {
	delete(s.uses, d)
	if s.held != nil {
		s.held.forget(d)
	}
	for _, name := range names {
		delete(s.made, name)
		if err := s.removeFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.failed("remove "+d.String(), err)
		}
	}
	return nil
}

// removeFile removes a file, unless it is a partial download that somebody works on.
func (s *Store) removeFile(name string) error {
	if path.Dir(name) == partialDir {
		return s.sweepPartial(name)
	}
	return s.root.Remove(name)
}

// kinds returns the folders of derived files.
func (s *Store) kinds() ([]string, error) {
	entries, err := fs.ReadDir(s.root.FS(), derivedDir)
	if err != nil {
		return nil, s.failed("list "+derivedDir, err)
	}
	kinds := make([]string, 0, len(entries))
	for _, entry := range entries {
		if entry.IsDir() {
			kinds = append(kinds, path.Join(derivedDir, entry.Name()))
		}
	}
	return kinds, nil
}

func (s *Store) openFile(op, name string, d digest.Digest) (*os.File, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, s.failed(op, err)
	}
	s.touch(d, name)
	return f, nil
}

func blobPath(d digest.Digest) (string, error) {
	if err := checkDigest(d); err != nil {
		return "", err
	}
	return path.Join(blobDir, d.Encoded()), nil
}

func derivedPath(kind string, d digest.Digest) (string, error) {
	if !kindPattern.MatchString(kind) {
		return "", fault.Retry(v1alpha1.InternalErrorReason, fmt.Errorf("%q does not name a kind of derived files", kind))
	}
	if err := checkDigest(d); err != nil {
		return "", err
	}
	return path.Join(derivedDir, kind, d.Encoded()), nil
}

func checkDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return fault.Stallf(v1alpha1.SourceInvalidReason, "digest %q: %w", string(d), err)
	}
	if d.Algorithm() != digest.SHA256 {
		return fault.Stallf(v1alpha1.SourceInvalidReason, "digest %q: only sha256 is accepted", string(d))
	}
	return nil
}
