package store

import (
	_ "crypto/sha256" // registers the only algorithm of digests that is accepted
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/fault"
)

// Folders of the cache directory.
const (
	blobDir    = "sha256"
	tempDir    = "tmp"
	derivedDir = "derived"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// kindPattern is what a kind of derived files is named like: one plain element of a path.
var kindPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Store is a cache directory. Its methods may be called concurrently, and other
// processes may use the same directory.
type Store struct {
	dir    string
	root   *os.Root
	create func(*os.Root) (tempFile, string, error)
}

// Open returns the Store in dir. It creates what is missing, checks that files
// can be written, and removes what killed processes left half written. An error
// has the reason StoreFailed.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir, create: createTemp}
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
	for _, name := range []string{blobDir, tempDir, derivedDir} {
		if err := s.root.MkdirAll(name, dirMode); err != nil {
			return s.failed("create "+name, err)
		}
	}
	if err := sweep(s.root); err != nil {
		return s.failed("sweep "+tempDir, err)
	}
	return s.probe()
}

// Close releases the directory. Files that were opened stay open.
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

// Open opens the blob with digest d for reading. The error satisfies
// errors.Is(err, fs.ErrNotExist) when the store does not have it. Remove does
// not disturb a file that is open.
func (s *Store) Open(d digest.Digest) (*os.File, error) {
	name, err := blobPath(d)
	if err != nil {
		return nil, err
	}
	return s.openFile("open blob "+d.String(), name)
}

// OpenDerived opens for reading what Derive wrote for the kind and the blob
// with digest d. The error satisfies errors.Is(err, fs.ErrNotExist) when there
// is nothing.
func (s *Store) OpenDerived(kind string, d digest.Digest) (*os.File, error) {
	name, err := derivedPath(kind, d)
	if err != nil {
		return nil, err
	}
	return s.openFile("open "+kind+" of "+d.String(), name)
}

// Remove removes the blob with digest d and everything derived from it. What is
// not there is no error. What was derived goes first, so that a process that is
// killed in between leaves a blob without it and never the other way round.
func (s *Store) Remove(d digest.Digest) error {
	blob, err := blobPath(d)
	if err != nil {
		return err
	}
	kinds, err := fs.ReadDir(s.root.FS(), derivedDir)
	if err != nil {
		return s.failed("list "+derivedDir, err)
	}
	names := make([]string, 0, len(kinds)+1)
	for _, kind := range kinds {
		names = append(names, path.Join(derivedDir, kind.Name(), d.Encoded()))
	}
	for _, name := range append(names, blob) {
		if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.failed("remove "+d.String(), err)
		}
	}
	return nil
}

func (s *Store) openFile(op, name string) (*os.File, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, s.failed(op, err)
	}
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
		return "", fault.Failed(v1alpha1.InternalErrorReason, fmt.Errorf("%q does not name a kind of derived files", kind))
	}
	if err := checkDigest(d); err != nil {
		return "", err
	}
	return path.Join(derivedDir, kind, d.Encoded()), nil
}

func checkDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return fault.Terminalf(v1alpha1.SourceInvalidReason, "digest %q: %w", string(d), err)
	}
	if d.Algorithm() != digest.SHA256 {
		return fault.Terminalf(v1alpha1.SourceInvalidReason, "digest %q: only sha256 is accepted", string(d))
	}
	return nil
}
