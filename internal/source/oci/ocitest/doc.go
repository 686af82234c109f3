// Package ocitest serves artifacts to tests: a registry in the process, with
// TLS, a login and faults as the test asks for them, and artifacts to put there.
//
//	Artifact, Bundle, Index -> Registry.Push -> digest
//	client -> requests counted -> faults -> login -> registry
//
// Nothing that ships imports it.
package ocitest
