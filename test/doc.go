// Package test holds the integration tests: the real manager against real API
// servers, registries and web servers, checked through what a user sees. One file
// is one behaviour.
//
// Tests that run in parallel start in the reverse order of their files: those that take
// longest are in files whose names come late, so that no other waits for them in the end.
package test
