// Package status turns the error of a reconcile into conditions for people and
// a result for the queue, at one place, by the class that package fault gave it:
//
//	class | Ready | Stalled | result
//	none  | True  | False   | nothing: a watch queues it, or Resync
//	Wait  | False | False   | after the time that the error names, or nothing
//	Stall | False | True    | slowly, after ten minutes: the spec or the source has to change
//	Retry | False | False   | back-off
//
// Events are recorded on transitions only: a reconcile that finds what the one
// before found records nothing.
package status
