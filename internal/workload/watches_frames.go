package workload

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// maxFrame bounds one event of a watch: etcd takes no object of more than
	// 1.5 MiB by default, of which JSON escapes make less than twice as much.
	maxFrame = 4 << 20

	// idleBuffer is what a stream holds while nothing comes.
	idleBuffer = 512
)

var errFrameTooLarge = fmt.Errorf("an event of a watch is larger than %d MiB", maxFrame>>20)

// frameBuffers are for the events that are read at the moment: a stream that had a
// large event holds none of it.
var frameBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// frames are the events of a watch as the API server sends them, one in a line.
type frames struct {
	body   io.ReadCloser
	reader *bufio.Reader
	// reached is the resource version up to which everything was read.
	reached string
}

// newFrames returns the events behind a resource version.
func newFrames(body io.ReadCloser, from string) *frames {
	return &frames{body: body, reader: bufio.NewReaderSize(body, idleBuffer), reached: from}
}

// next waits for an event. The error is io.EOF when the server ended the watch
// between two events.
func (f *frames) next() (event, error) {
	if _, err := f.reader.Peek(1); err != nil {
		return event{}, err
	}
	buffer := frameBuffers.Get().(*bytes.Buffer)
	defer frameBuffers.Put(buffer)
	buffer.Reset()
	if err := f.read(buffer); err != nil {
		return event{}, err
	}
	happened, err := decodeEvent(buffer.Bytes())
	if err == nil {
		f.reached = happened.revision
	}
	return happened, err
}

// read reads one line.
func (f *frames) read(into *bytes.Buffer) error {
	for {
		part, err := f.reader.ReadSlice('\n')
		into.Write(part)
		switch {
		case into.Len() > maxFrame:
			return errFrameTooLarge
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// close ends the watch.
func (f *frames) close() {
	_ = f.body.Close() // Nothing was written that could be lost.
}
