// Package capitest has what tests and benchmarks use in place of a management cluster.
package capitest
