//go:build !race

package archive

// slowdown is how much slower reading becomes by the race detector: there is none.
const slowdown = 1
