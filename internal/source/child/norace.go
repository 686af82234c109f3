//go:build !race

package child

const overhead = 1
