// Package packing brings published manifests into the forms that others take: a chart for
// Helm, ConfigMaps for ClusterResourceSet. It is done before anything is measured.
package packing
