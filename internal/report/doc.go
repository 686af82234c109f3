// Package report records Kubernetes events, on transitions only.
//
// A reconcile that finds what the one before found records nothing, so that
// events tell a story and cost nothing while all is well.
//
//	conditions before, conditions after -> Ready went over? -> event
package report
