package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// sparsePrefix begins the keys of records that make a file sparse.
const sparsePrefix = "GNU.sparse."

// globalRecords are the records of a global header that change what the entries
// after it are: archive/tar ignores them there, and other tools do not.
var globalRecords = []string{"path", "linkpath", "size"}

// walk reads an archive from its beginning to its end, and copies the files that
// are selected.
type walk struct {
	in     *unpacked
	tar    *tar.Reader
	limits Limits
	// selects reports whether a file is copied to files.
	selects func(path string) bool
	files   *spool
	// links has the paths of the links that were skipped, if it is not nil: then they
	// are, wherever they are.
	links map[string]bool
	// seen has the paths so far, and whether they are directories.
	seen    map[string]bool
	entries int
	// place names the last entry, for messages.
	place string
}

func newWalk(in *unpacked, selects func(string) bool, files *spool) *walk {
	return &walk{
		in: in, tar: tar.NewReader(in), limits: in.limits, selects: selects, files: files,
		seen: map[string]bool{}, place: "tar",
	}
}

// all reads the archive to its end.
func (w *walk) all() error {
	for {
		header, err := w.tar.Next()
		if err == io.EOF {
			return w.end()
		}
		if err != nil {
			return w.failed(err)
		}
		if w.entries++; w.entries > w.limits.Files {
			return exceeded("more than the limit of %d entries in the archive", w.limits.Files)
		}
		w.place = "entry " + text.Quote(header.Name, maxNameText)
		if err := w.entry(header); err != nil {
			return err
		}
	}
}

// entry checks one entry, and copies it if it is selected.
func (w *walk) entry(header *tar.Header) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return w.global(header)
	}
	if len(header.Name) > w.limits.Name {
		return exceeded("%s: a name of %d bytes, over the limit of %d", w.place, len(header.Name), w.limits.Name)
	}
	name, problem := cleanName(header.Name)
	if problem == "" && isLink(header) && w.skips(name) {
		return nil
	}
	if problem == "" {
		problem = w.problem(name, header)
	}
	if problem != "" {
		return invalid("%s: %s", w.place, problem)
	}
	isDir := header.Typeflag == tar.TypeDir
	w.seen[name] = isDir
	if isDir || !w.selects(name) {
		return nil
	}
	if err := w.files.add(name, w.tar); err != nil {
		return w.failed(err)
	}
	return nil
}

// skips reports whether the link with the path is left out, and remembers it: nobody
// reads it, wherever it leads. A file that is only to be reached through it is missing.
func (w *walk) skips(name string) bool {
	if w.links != nil {
		w.links[name] = true
	} else if w.selects(name) {
		return false
	}
	w.seen[name] = false
	return true
}

// global checks a header that is about all entries after it.
func (w *walk) global(header *tar.Header) error {
	for _, key := range globalRecords {
		if header.PAXRecords[key] != "" {
			return invalid("%s: a global header that sets %q", w.place, key)
		}
	}
	return nil
}

// problem returns why an entry is refused, or nothing.
func (w *walk) problem(name string, header *tar.Header) string {
	if problem := typeProblem(header); problem != "" {
		return problem
	}
	isDir := header.Typeflag == tar.TypeDir
	if !isDir && (name == "." || strings.HasSuffix(header.Name, "/")) {
		return "a file with the name of a directory"
	}
	// A directory may come again: it has no content of its own.
	if wasDir, ok := w.seen[name]; ok && (!isDir || !wasDir) {
		return "the path is duplicated"
	}
	return ""
}

func isLink(header *tar.Header) bool {
	return header.Typeflag == tar.TypeLink || header.Typeflag == tar.TypeSymlink
}

func typeProblem(header *tar.Header) string {
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeLink:
		return "a hard link"
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeChar, tar.TypeBlock:
		return "a device"
	case tar.TypeFifo:
		return "a named pipe"
	case tar.TypeGNUSparse:
		return "a sparse file"
	default:
		return fmt.Sprintf("neither a file nor a directory but of type %q", header.Typeflag)
	}
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, sparsePrefix) {
			return "a sparse file"
		}
	}
	return ""
}

// end checks what follows the last entry: two blocks of zeros, which
// archive/tar does not insist on, and then nothing but zeros. Reading to the end
// has the checksum of the compression compared as well.
func (w *walk) end() error {
	if w.in.err != nil {
		return w.failed(io.ErrUnexpectedEOF)
	}
	for {
		n, err := w.in.Read(w.files.buffer)
		for _, b := range w.files.buffer[:n] {
			if b != 0 {
				return invalid("bytes after the end of the archive")
			}
		}
		if err == io.EOF { //nolint:errorlint // a reader's contract is the value itself
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// failed returns err, which reading the archive or writing the scratch file
// ended with, with its class.
func (w *walk) failed(err error) error {
	switch {
	case w.files.err != nil:
		return w.files.err
	case w.in.err != nil && w.in.err != io.EOF: //nolint:errorlint // it is the value itself
		return w.in.err
	case w.entries == 0:
		return invalid("%s: cut off or no tar archive: if it is YAML, its name must end in .yaml, .yml or .json: %w",
			w.place, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("%s: the archive is cut off here or later", w.place)
	}
	return invalid("%s: not readable as tar here or later: %w", w.place, err)
}
