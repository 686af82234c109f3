// Package arch keeps the architecture: who may import whom, that pure packages
// stay pure, and that what is exported is documented.
//
//	go list ──> units ──────────> violations of the rules
//	            files, parsed ──> what is not documented, what asks for the time
//
// The package holds nothing but tests. It judges only the main module, and only
// the code that ships: a test may import what it likes.
package arch
