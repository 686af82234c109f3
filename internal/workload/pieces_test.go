package workload

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// readSizes is a body that notes how much of it is read at once.
type readSizes struct {
	io.Reader

	largest int
}

func (r *readSizes) Read(into []byte) (int, error) {
	n, err := r.Reader.Read(into)
	r.largest = max(r.largest, n)
	return n, err
}

func (r *readSizes) Close() error { return nil }

// readsTwice answers nothing and reads the body of a request in one go, twice.
func readsTwice(t *testing.T, want []byte) roundTripper {
	t.Helper()
	return func(request *http.Request) (*http.Response, error) {
		again, err := request.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []io.Reader{request.Body, again} {
			got := make([]byte, 0, len(want))
			for buffer := make([]byte, len(want)); ; {
				n, err := body.Read(buffer)
				got = append(got, buffer[:n]...)
				if err != nil {
					break
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d of %d bytes arrived", len(got), len(want))
			}
		}
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func TestABodyIsSentInSmallPieces(t *testing.T) {
	t.Parallel()
	whole := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	first, again := &readSizes{Reader: bytes.NewReader(whole)}, &readSizes{Reader: bytes.NewReader(whole)}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "https://here/api", first)
	if err != nil {
		t.Fatal(err)
	}
	request.GetBody = func() (io.ReadCloser, error) { return again, nil }

	response, err := answers{readsTwice(t, whole)}.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	for _, body := range []*readSizes{first, again} {
		if body.largest != maxPiece {
			t.Errorf("%d bytes were read at once, want %d", body.largest, maxPiece)
		}
	}
	if request.Body != io.ReadCloser(first) {
		t.Error("the caller's request was changed")
	}
}
