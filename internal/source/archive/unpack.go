package archive

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// counted counts the bytes that are read, and keeps the error that ended reading,
// to distinguish it from one of the content.
type counted struct {
	r    io.Reader
	read int64
	err  error
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// unpacked reads a stream after decompression. It ends with an error over the
// limits.
type unpacked struct {
	packed      *counted
	decoded     io.Reader
	compression Format
	limits      Limits
	written     int64
	// err ended the stream. It is io.EOF only after a read beyond the end.
	err error
}

// unpack returns what packed holds, and a function that frees the memory of the
// decompressor.
func unpack(packed io.Reader, compression Format, limits Limits) (*unpacked, func(), error) {
	u := &unpacked{packed: &counted{r: packed}, compression: compression, limits: limits}
	switch compression {
	case Plain:
		u.decoded = u.packed
		return u, func() {}, nil
	case Gzip:
		zip, err := gzip.NewReader(u.packed)
		if err != nil {
			return nil, nil, u.failed(err)
		}
		u.decoded = zip
		return u, func() { _ = zip.Close() }, nil
	case Zstd:
		window := uint64(max(limits.Window, zstd.MinWindowSize))
		decoder, err := zstd.NewReader(u.packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(window), zstd.WithDecoderMaxMemory(window))
		if err != nil {
			return nil, nil, u.failed(err)
		}
		u.decoded = decoder
		return u, decoder.Close, nil
	default:
		return nil, nil, fault.Retry(v1alpha1.InternalErrorReason,
			fmt.Errorf("%s is not a format of packed bytes", text.Quote(string(compression), maxNameText)))
	}
}

// Read returns the next bytes, or the error that the stream ended with.
func (u *unpacked) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.decoded.Read(p)
	u.written += int64(n)
	if u.err = u.overLimit(); u.err != nil {
		return 0, u.err
	}
	switch {
	case err == nil:
	case err != io.EOF, u.isEmpty():
		u.err = u.failed(err)
	case n == 0:
		u.err = io.EOF
	}
	return n, u.err
}

func (u *unpacked) overLimit() error {
	if u.written > u.limits.Bytes {
		return exceeded("larger than the limit of %d bytes unpacked", u.limits.Bytes)
	}
	if u.compression != Plain && u.written > ratioFrom && u.written > u.limits.Ratio*u.packed.read {
		return exceeded("the compression ratio is over the limit of %d", u.limits.Ratio)
	}
	return nil
}

// isEmpty reports whether the stream ended before it began: the decoder of zstd
// accepts that.
func (u *unpacked) isEmpty() bool { return u.compression != Plain && u.packed.read == 0 }

// failed returns err, which decompression ended with, with its class.
func (u *unpacked) failed(err error) error {
	switch {
	case u.packed.err != nil:
		return fault.Wrap("read", u.packed.err)
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return exceeded("zstd: a window larger than the limit of %d bytes", u.limits.Window)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("%s: cut off after %d bytes", u.compression, u.packed.read)
	}
	return invalid("cannot be read as %s: %w", u.compression, err)
}
