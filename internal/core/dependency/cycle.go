package dependency

import "slices"

// Cycle returns the shortest cycle of dependencies that a set is in, with the first
// set again at its end: "cni", "logging", "cni". It begins with the set whose name is
// the smallest, so that all sets of one cycle report the same. It is nil if the set
// is in none, even if it depends on one.
func Cycle(set string, dependsOn map[string][]string) []string {
	// The set that led to each set first, in a search that goes on from set.
	from := make(map[string]string)
	for queue := []string{set}; len(queue) > 0; queue = queue[1:] {
		for _, next := range slices.Sorted(slices.Values(dependsOn[queue[0]])) {
			if _, seen := from[next]; seen {
				continue
			}
			from[next] = queue[0]
			if next == set {
				return fromSmallest(backwards(set, from))
			}
			queue = append(queue, next)
		}
	}
	return nil
}

// backwards returns the sets of a cycle in the order in which they depend on each
// other, each of them once.
func backwards(set string, from map[string]string) []string {
	cycle := []string{set}
	for at := from[set]; at != set; at = from[at] {
		cycle = append(cycle, at)
	}
	slices.Reverse(cycle)
	return cycle
}

// fromSmallest returns a cycle with the smallest name at its beginning and its end.
func fromSmallest(cycle []string) []string {
	first := slices.Index(cycle, slices.Min(cycle))
	return append(slices.Concat(cycle[first:], cycle[:first]), cycle[first])
}
