// Package test holds the integration tests: the real manager against real API
// servers, registries and web servers, checked through what a user sees. One file
// is one behaviour.
package test
