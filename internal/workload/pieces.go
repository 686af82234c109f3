package workload

import (
	"io"
	"net/http"
)

// maxPiece bounds what is sent of a body at once, in bytes. With HTTP/2 each piece is a
// frame, and the buffer of a connection stays as large as the largest frame that went
// through it. A kube-apiserver takes frames of 256 KiB; a record of TLS has 16 KiB anyway.
const maxPiece = 16 << 10

// pieces is a body that is read in pieces of no more than maxPiece.
type pieces struct{ io.ReadCloser }

// Read reads the next piece.
func (p pieces) Read(into []byte) (int, error) {
	return p.ReadCloser.Read(into[:min(len(into), maxPiece)])
}

// sendInPieces has the body of a request sent in pieces, also when it is sent again.
func sendInPieces(request *http.Request) {
	if request.Body == nil || request.Body == http.NoBody {
		return
	}
	request.Body = pieces{request.Body}
	whole := request.GetBody
	if whole == nil {
		return
	}
	request.GetBody = func() (io.ReadCloser, error) {
		body, err := whole()
		return pieces{body}, err
	}
}
