// Package image tests the Dockerfile: it builds the image and runs what is in it.
//
//	Go tool chain, shell, CA certificates of this machine ──> builder image
//	Dockerfile, module and build cache of this machine ─────> image ──> /manager
//
// The package holds nothing but the test. It needs root and buildah and is
// skipped without them. It needs no registry: the builder image is made from this
// machine's own files and passed to the Dockerfile as BASE.
package image
