//go:build race

package child

// overhead is how many times more addresses a program needs with the race detector, about.
const overhead = 4
