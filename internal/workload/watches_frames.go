package workload

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// maxFrame bounds one event of a watch: etcd takes no object of more than
	// 1.5 MiB by default, of which JSON escapes make less than twice as much.
	maxFrame = 4 << 20

	// maxFrameNodes bounds the values of an event, most of them fields that somebody
	// manages.
	maxFrameNodes = 100_000

	// idleBuffer is what a stream holds while nothing comes.
	idleBuffer = 512
)

var errFrameTooLarge = fmt.Errorf("an event of a watch is larger than %d MiB or has more than %d values", maxFrame>>20, maxFrameNodes)

// frameBuffers are for the events that are read at the moment: a stream that had a
// large event holds none of it.
var frameBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// frames are the events of a watch as the API server sends them, one in a line.
type frames struct {
	body   io.ReadCloser
	reader *bufio.Reader
	// reached is the resource version up to which everything was read.
	reached string
	// limits are those of the workload cluster.
	limits *limits
	// size is that of the event that was read last.
	size int
}

// newFrames returns the events behind a resource version, with limits of their own.
func newFrames(body io.ReadCloser, from string) *frames {
	return &frames{body: body, reader: bufio.NewReaderSize(body, idleBuffer), reached: from, limits: newLimits()}
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
	f.size = buffer.Len()
	happened, err := decodeEvent(buffer.Bytes())
	if err == nil {
		f.reached = happened.revision
	}
	return happened, err
}

// read reads one line.
func (f *frames) read(into *bytes.Buffer) error {
	isLarge := false
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
		case into.Len() > smallFrame && !isLarge:
			if !f.limits.large.TryAcquire(1) {
				return errLargeFrames
			}
			isLarge = true
			defer f.limits.large.Release(1)
			defer time.AfterFunc(frameTime, f.close).Stop()
		}
	}
}

// close ends the watch.
func (f *frames) close() {
	_ = f.body.Close() // Nothing was written that could be lost.
}
