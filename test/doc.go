// Package test holds the integration tests: the real manager against real API
// servers, registries and web servers, told as a user would see it. One file is
// one behaviour.
package test
