// Package slots shares out what may be done at once by namespace: whoever names many
// slow servers waits for them alone.
//
//	Acquire ─> the queue of the namespace ─> a slot, when it is the turn of the namespace
//
// No namespace holds more than its share, and one that waits gets a slot before another
// gets a second one. The package knows neither what is done with a slot nor for how long:
// what holds one must end by itself.
package slots
