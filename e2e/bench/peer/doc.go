// Package peer runs the code of another project in a process of its own, so that its
// processor time and memory are its own, and so that it stays between what it is asked for,
// as the controller does that it is from.
//
//	benchmark ── Order, a line of JSON ──> stdin  ┐
//	                                              │ program: Serve
//	          <── Report, a line of JSON ─ stdout ┘
//
// The program ends when its standard input does, so it never outlives the benchmark.
package peer
