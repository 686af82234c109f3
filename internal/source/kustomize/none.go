//go:build no_kustomize

package kustomize

// BuiltIn is whether kustomizations can be built.
const BuiltIn = false

// Build returns ErrNotBuiltIn.
func Build(Files, string, int64) ([]byte, error) { return nil, ErrNotBuiltIn }
