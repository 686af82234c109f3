// Package source joins the kinds of sources: it resolves each to parts, which are
// files with a digest and a way to fetch them. A source that can change under its
// name, such as a tag, a chart or a ConfigMap, is pinned here; from then on all
// sources are treated alike. Where an artifact has to be signed, its signature is
// verified here, before anything else of it is read.
//
//	https, file, inline -> Static  ─┐
//	oci  -> tag -> manifest -> layers ├─> []Part
//	helm -> chart -> rendered YAML   │
//	configMap, secret -> keys       ─┘
package source
