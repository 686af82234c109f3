// Package plan orders the objects of a release: from the index of each source
// to phases, steps and gates.
//
//	[]Input (phase -> sources -> manifest.Entry) -> New -> *Plan (phase -> steps -> objects)
//
// The phases are those of the user, in the user's order. Inside a phase the
// order comes from the kinds: namespaces; CustomResourceDefinitions and their
// gate; identity, RBAC and configuration; instances of kinds that the phase does
// not define; workloads and their gate; webhooks and API services; instances of the
// kinds that the phase defines. So one mixed file works as a phase of its own. Hooks of
// charts run before or behind these, and a release in which they depend on the event
// has two plans: that of an installation and that of an upgrade. The order is total:
// whatever order the documents and the sources of a phase are in, the plan is the same.
//
// New also finds the API path of each object, keeps one of several equal copies
// of an object, and refuses a release in which one object has two contents.
// It does not read objects, does not know what a cluster serves, and does not
// decide whether a gate is open.
//
// The package is pure: no client, no network, no file system, no clock.
package plan
