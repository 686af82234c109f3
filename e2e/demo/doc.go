// Command demo shows the provider at work: on a management cluster and two
// workload clusters of its own, with Cluster API's real core controllers and
// this project's manager. "make demo" runs it.
//
//	catalogue, or generator ── files ── HTTP server, counted
//	                                        │ one download
//	management cluster ── Cluster API ── manager ── proxy ── berlin
//	        │                               └────── proxy ── oslo
//	        └ watch: live view, tables         counted: summary
//
// No operator's image runs on the simulated Nodes: the demo writes the
// status that an operator would report, and prints that it does.
//
// It exits with status 0 if every step succeeded, else with 1, an explanation
// and the end of the manager's log. In both cases everything that
// it started is stopped. With KEEP=1 in the environment it prints the paths of
// the kubeconfigs and waits for an interrupt before it stops.
package main
