package archive

import (
	"io"
	"iter"
	"maps"
	"slices"
)

// File is one file that was packed.
type File struct {
	// Name is the clean path inside of the archive, or empty when the format has
	// no names.
	Name string
	// Reader reads the file. It is valid until the next step of the sequence.
	Reader io.Reader
}

// Files returns the files in packed, whose bytes are verified. The sequence can
// be read once. It ends after an error, which it yields with an empty File.
//
// Plain, Gzip and Zstd are one file without a name, which is read as a stream:
// errors come from its Reader too. It is checked to its end, even if the
// consumer leaves some of it. Files of it cannot be wanted.
//
// An archive is read to its end, and copied to what scratch returns, before its
// first file is yielded: a bad archive yields no file. Without wanted, these are
// the files that end with .yaml, .yml or .json in upper or lower case, in the
// lexical order of their paths, but for the files that macOS adds (._*), and it
// is an error if there is none. With wanted, these are exactly the files with
// the wanted paths, in this order. Wanted may be patterns, too: see pattern. What fits
// one of them comes at its place, in lexical order, and no file comes twice.
//
// An error is a Stall with the reason ArchiveInvalid, when packed cannot be
// read in the format, an entry is refused, a wanted file is missing or a pattern
// fits nothing; with LimitExceeded over a limit; with SourceInvalid when wanted cannot be used. It
// has the reason StoreFailed when the scratch file is at fault. An error of
// packed is wrapped and keeps its class.
func Files(packed io.Reader, format Format, wanted []string, limits Limits,
	scratch func() (Scratch, error)) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		compression, isArchive := format.layers()
		chosen, err := newSelection(wanted, isArchive, limits)
		if err != nil {
			yield(File{}, err)
			return
		}
		in, free, err := unpack(packed, compression, limits)
		if err != nil {
			yield(File{}, err)
			return
		}
		defer free()
		if isArchive {
			err = yieldArchive(in, chosen, scratch, yield)
		} else {
			err = yieldOne(in, yield)
		}
		if err != nil {
			yield(File{}, err)
		}
	}
}

// yieldOne yields what in holds as one file. It returns no error once the
// consumer has stopped.
func yieldOne(in *unpacked, yield func(File, error) bool) error {
	if !yield(File{Reader: in}, nil) {
		return nil
	}
	_, err := io.Copy(io.Discard, in)
	return err
}

// yieldArchive yields the chosen files of the archive. It returns no error once the
// consumer has stopped.
func yieldArchive(in *unpacked, chosen selection, scratch func() (Scratch, error),
	yield func(File, error) bool) error {
	files, err := newSpool(scratch)
	if err != nil {
		return err
	}
	defer files.close()
	if err := newWalk(in, chosen.selects, files).all(); err != nil {
		return err
	}
	order, err := chosen.order(slices.Sorted(maps.Keys(files.spans)))
	if err != nil {
		return err
	}
	for _, name := range order {
		if !yield(File{Name: name, Reader: files.open(name)}, nil) {
			return nil
		}
	}
	return nil
}
