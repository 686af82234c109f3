// Package rollout is one pass over one workload cluster: it applies what is
// not applied yet, checks the gates, and returns. It never blocks: a closed gate
// ends the pass with a fault.Wait, and a watch on a target of the outcome or a
// timer starts the next one.
//
// What is there, and as what, each member of the inventory says itself; how far the
// release is, the parent ConfigMap does (package inventory). So a pass that was
// killed in the middle is continued by the next, and one that finds everything done
// sends nothing. Memory is what passes of one process need not ask for again.
//
//	parent -> record -> for each phase: examine -> for each step: apply, gate -> readyWhen -> record -> parent
//
// All objects that a phase still has to apply are looked at before the first of
// them is applied: a phase with a collision is left as it is.
//
// A pass asks for as little as it can: one list for each kind, nothing for what
// cannot exist, discovery less and less often, and workloads only when a watch saw
// something of them.
package rollout
