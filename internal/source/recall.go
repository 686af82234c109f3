package source

import (
	"context"
	"io"

	"github.com/opencontainers/go-digest"
)

// remember stores a short text under a kind and the identity of what it was found
// for, so that this process need not find it again.
func (r *Resolver) remember(ctx context.Context, kind string, identity digest.Digest, text string) error {
	return r.Store.Derive(ctx, kind, identity, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// recall returns what this process stored with remember. What another one stored is
// an error, as it may be of who else can write to the volume.
func (r *Resolver) recall(kind string, identity digest.Digest) (string, error) {
	text, err := r.Store.ReadDerived(kind, identity)
	return string(text), err
}
