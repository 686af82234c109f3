package archive

import (
	"io"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Tree is an archive in memory.
type Tree struct {
	// Files are the contents of all files by their clean paths.
	Files map[string][]byte
	// Links are the paths of the links of the archive, which are not followed.
	Links map[string]bool
}

// ReadTree returns all files of an archive, whose bytes are verified, if they are at
// most maxBytes together. Its errors are those of Files. What is not an archive is a
// Stall with the reason SourceInvalid.
func ReadTree(packed io.Reader, format Format, limits Limits, maxBytes int64,
	scratch func() (Scratch, error)) (Tree, error) {
	files, err := newSpool(scratch)
	if err != nil {
		return Tree{}, err
	}
	defer files.close()
	tree := Tree{Files: map[string][]byte{}, Links: map[string]bool{}}
	err = walkAll(packed, format, limits, func(in *unpacked) *walk {
		w := newWalk(in, func(name string) bool { return !isAppleDouble(name) }, files)
		w.links = tree.Links
		return w
	})
	if err != nil {
		return Tree{}, err
	}
	if files.size > maxBytes {
		return Tree{}, exceeded("the files of the archive are %d bytes together, over the limit of %d", files.size, maxBytes)
	}
	for name := range files.spans {
		if tree.Files[name], err = io.ReadAll(files.open(name)); err != nil {
			return Tree{}, err
		}
	}
	return tree, nil
}

// HasFile reports whether an archive has a file with one of the paths. It reads the
// archive to its end, with the errors of Files.
func HasFile(packed io.Reader, format Format, limits Limits, paths []string) (bool, error) {
	var all *walk
	err := walkAll(packed, format, limits, func(in *unpacked) *walk {
		none := &spool{buffer: make([]byte, bufferSize)}
		all = newWalk(in, func(string) bool { return false }, none)
		return all
	})
	if err != nil {
		return false, err
	}
	for _, path := range paths {
		if isDir, ok := all.seen[path]; ok && !isDir {
			return true, nil
		}
	}
	return false, nil
}

// walkAll reads an archive to its end.
func walkAll(packed io.Reader, format Format, limits Limits, newWalk func(*unpacked) *walk) error {
	compression, isArchive := format.layers()
	if !isArchive {
		return fault.Stallf(v1alpha1.SourceInvalidReason, "it is not an archive")
	}
	in, free, err := unpack(packed, compression, limits)
	if err != nil {
		return err
	}
	defer free()
	return newWalk(in).all()
}
