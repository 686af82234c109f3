// Package readiness finds out whether one live object is ready: it turns the
// object, as the workload cluster has it, into a Finding.
//
//	live object ──────────────▶ Of         ─┐
//	discovery ────────────────▶ CRDServed  ─┤
//	CustomResourceDefinition ─▶ Conditions ─┼─▶ Finding{Ready, Stalled, Reason, Message}
//	readyWhen ─▶ Compile ─────▶ Evaluate   ─┘
//
// A Finding describes one moment: the package reads nothing from a cluster, does
// not wait, does not remember, and does not know how long an object has been in
// its state. What a Finding calls Stalled can still become ready when something
// changes in the cluster, as a Deployment past its progress deadline does when
// nodes join, so the caller keeps watching.
package readiness
