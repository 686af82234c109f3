package workload

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// modified is a frame of a member whose name is of a length.
func modified(length int) string {
	return `{"type":"MODIFIED","object":{"metadata":{"name":"` + strings.Repeat("n", length) +
		`","labels":{"applyset.kubernetes.io/part-of":"ours"}}}}` + "\n"
}

func TestFramesAreReadOneByOne(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tests := map[string]struct {
		given      io.Reader
		wantEvents int
		wantErr    string
	}{
		"the server ended the watch":  {strings.NewReader(modified(9) + modified(9)), 2, "EOF"},
		"a watch without events":      {strings.NewReader(""), 0, "EOF"},
		"a frame over several reads":  {iotest.OneByteReader(strings.NewReader(modified(9) + modified(9))), 2, "EOF"},
		"frames larger than a buffer": {strings.NewReader(modified(100_000) + modified(1)), 2, "EOF"},
		"a frame that is cut off":     {strings.NewReader(modified(9) + modified(9)[:20]), 1, "unexpected EOF"},
		"a connection that breaks": {
			io.MultiReader(strings.NewReader(modified(9)+modified(9)[:20]), iotest.ErrReader(broken)), 1, "broken",
		},
		"a frame that is too large": {strings.NewReader(modified(9) + modified(maxFrame)), 1, errFrameTooLarge.Error()},
		"a frame without an end":    {endless{}, 0, errFrameTooLarge.Error()},
		"no JSON":                   {strings.NewReader("<html>\n"), 0, "invalid character"},
		"no object":                 {strings.NewReader(`{"type":"ADDED","object":[]}` + "\n"), 0, "cannot unmarshal"},
		"an error of the server": {
			strings.NewReader(`{"type":"ERROR","object":{"kind":"Status","message":"too old","code":410}}` + "\n"), 0, "too old",
		},
		"a type that nobody knows": {strings.NewReader(`{"type":"RENAMED","object":{}}` + "\n"), 0, "RENAMED"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := newFrames(io.NopCloser(tc.given), "")
			for range tc.wantEvents {
				if got, err := events.next(); err != nil || !slices.Contains(got.parts, "ours") {
					t.Fatalf("want an event of ours, got %+v, %v", got, err)
				}
			}
			_, err := events.next()
			if err == nil || !strings.Contains(err.Error(), tc.wantErr) || (tc.wantErr == "EOF") != errors.Is(err, io.EOF) {
				t.Errorf("want the end %q, got %v", tc.wantErr, err)
			}
		})
	}
}

// endless never ends a line.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
