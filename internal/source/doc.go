// Package source joins the kinds of sources: it resolves each to the bytes that it
// stands for now, and to a way to fetch them. A source that can change under its
// name, such as a tag, a chart or a ConfigMap, becomes parts with digests here;
// from then on all sources are handled alike. Where an artifact has to be signed, its signature is verified here,
// before anything else of it is read.
//
//	https, file, inline -> Static  ─┐
//	oci  -> tag -> manifest -> layers ├─> []Part
//	helm -> chart -> rendered YAML   │
//	configMap, secret -> keys       ─┘
package source
