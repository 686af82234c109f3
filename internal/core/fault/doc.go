// Package fault gives an error its class and its reason once, at the place
// that knows: whether to wait, to try again with back-off, or to stop until
// something changes. A controller turns them into conditions and a result at
// one place, and no code reads the text of an error.
//
//	place that knows: Retry, Wait, Stall -> Wrap, Join on the way up
//	  -> ClassOf, ReasonOf, AfterOf -> conditions, result of a reconcile
//
// The package is pure.
package fault
