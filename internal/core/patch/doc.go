// Package patch changes objects and values of charts for one Cluster, in the form of the
// patches of a ClusterClass.
//
//	Cluster, variables of the set -> VariablesOf
//	patches of the set, variables -> Evaluate -> Changes: values instead of templates
//	Changes.For(object), its bytes  -> Object  -> the bytes that the Cluster gets
//	Changes.ForChart, merged values -> Values  -> the values that its charts are rendered with
//
// Templates are executed in this process, which nobody can interrupt: they call only
// functions that are listed here, each call and each turn of a loop is counted, and what
// they make is measured. Errors name the patch and the path, and no value of an object.
package patch
