// Package helm compares what the manager makes of Helm charts with what Helm's own
// library makes of them. It is here because that library's commands need many modules
// which the manager does not have.
package helm
