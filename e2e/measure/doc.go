// Package measure reads what processes have used from /proc, and sums up figures of
// several rounds. It is for the benchmarks, and works on Linux only.
package measure
