// Package rollout is one pass over one workload cluster: it applies what is
// not applied yet, checks the gates, and returns. It never blocks: a closed gate
// ends the pass with a fault.Wait, and a watch on a target of the outcome or a
// timer starts the next one.
//
// All that a pass remembers is in the parent ConfigMap of the workload cluster
// (package inventory): the digest of the release and how many phases and steps
// are done. So a pass that was killed in the middle is continued by the next,
// and one that finds everything done sends nothing.
//
//	parent -> record -> for each phase: owners -> for each step: apply, gate -> readyWhen -> record -> parent
//
// The owners of all objects that a phase still has to apply are read before the
// first of them is applied: a phase with a collision is left as it is.
package rollout
