// Command bench compares this provider with what else brings bundles to clusters: the same
// releases, on fresh real API servers, in interleaved rounds. "make bench" runs it.
//
// A Way is one of those compared. Its client is a process of its own: a program, or this
// program run again as a child (see task). What a step takes is seen from outside, for all
// ways alike: times by watches on the workload cluster, CPU time and memory from /proc, and
// requests and bytes in rounds of their own by a proxy, which takes time itself.
package main
