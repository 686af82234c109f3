package child

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// bytesOf returns a request as the line that a child reads first.
func bytesOf(request []byte) io.Reader {
	return io.MultiReader(bytes.NewReader(request), bytes.NewReader([]byte{'\n'}))
}

var errLine = errors.New("a line that is too long, or has no end")

// readLine reads a line of at most maxBytes.
func readLine(r *bufio.Reader, maxBytes int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxBytes:
			return nil, errLine
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, errors.Join(errLine, err)
		}
	}
}

// bodyReader takes down why what a child is given cannot be read.
type bodyReader struct {
	r      io.Reader
	failed error
}

// Read returns the next bytes.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.r == nil {
		return 0, io.EOF
	}
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
	}
	return n, err
}

var errOutput = errors.New("too much output")

// limitedWriter ends with errOutput when more is written than was left, and takes down why
// w does not take it.
type limitedWriter struct {
	w      io.Writer
	left   int64
	failed error
}

// Write writes the next bytes.
func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 || l.w == nil {
		return 0, errOutput
	}
	n, err := l.w.Write(p)
	l.failed = err
	return n, err
}

// head keeps the beginning of a text.
type head struct{ kept []byte }

// Write takes the next bytes.
func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), maxCrash-len(h.kept))]...)
	return len(p), nil
}
