// Package signaturetest signs artifacts for tests, with a key of the test's own,
// in both forms in which cosign stores signatures.
//
//	NewKey -> Key.Bundle, Key.Simple -> ocitest.Artifact -> a registry
//
// Nothing that ships imports it.
package signaturetest
