// Package arch keeps the architecture: which package may import which, that core
// reads no clock, that what is exported is documented, and how long functions and
// files are.
//
//	go list ──> path, imports ──> violations of the rules
//	            files, parsed ──> undocumented exports, clock calls, lengths
//
// The path of a package decides what it may import: the rules are derived from
// it, here and nowhere else. The exceptions are two small tables in
// rules_test.go, with a reason a line.
//
// The package holds nothing but tests. It judges only the main module, and only
// the code that ships: a test may import what it likes.
package arch
