//go:build no_helm

package helm

import (
	"encoding/json"
	"io"
)

// BuiltIn is whether charts can be rendered.
const BuiltIn = false

// Render returns ErrNotBuiltIn.
func Render(io.Reader, io.Writer, Options, Limits) (warnings []string, err error) {
	return nil, ErrNotBuiltIn
}

// Values returns ErrNotBuiltIn.
func Values([]Document, []byte) (values json.RawMessage, warnings []string, err error) {
	return nil, nil, ErrNotBuiltIn
}
