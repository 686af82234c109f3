package source

import (
	"errors"
	"io"

	"github.com/opencontainers/go-digest"
)

// remember stores a short text under a kind and the identity of what it was found
// for, so that it need not be found again after a restart.
func (r *Resolver) remember(kind string, identity digest.Digest, text string) error {
	return r.Store.Derive(kind, identity, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// recall returns what remember stored. A text that is empty or longer than limit
// bytes is an error.
func (r *Resolver) recall(kind string, identity digest.Digest, limit int) (string, error) {
	file, err := r.Store.OpenDerived(kind, identity)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	if err == nil && (len(text) == 0 || len(text) > limit) {
		err = errors.New("the file is damaged")
	}
	return string(text), err
}
