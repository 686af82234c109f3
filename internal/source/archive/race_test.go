//go:build race

package archive

// slowdown is how much slower reading becomes by the race detector, about.
// Tests that read much read less by it.
const slowdown = 10
