// Package archive reads packed bytes as files: plain bytes, gzip (RFC 1952),
// zstd (RFC 8878), and tar (POSIX.1-2001 and GNU), alone or inside of one of them.
//
//	verified bytes -> gzip, zstd: sizes and ratio counted -> one file
//	                                                      -> tar: names and types checked
//	                                                         -> scratch file -> files in order
//
// The order of the entries of a tar archive means nothing here: what is read
// comes in lexical order, or in the order that was asked for. Since a stream
// does not go back, the files are copied one after another into a scratch file
// and read from there. In memory are a buffer, the window of the decompressor,
// and the names.
//
// The package refuses an archive as a whole for what no archive of manifests
// needs: paths that are absolute, lead upwards or hold control characters,
// links in the place of a file that is read, devices, sparse files, one name twice.
// It refuses what tools read
// differently: an archive without its end, and bytes after the end. Nothing of
// an archive ever becomes a path of the file system. It does not check digests:
// the bytes must be verified before. It does not look into the files, and an
// archive inside of an archive is only a file.
package archive
