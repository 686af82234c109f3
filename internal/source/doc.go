// Package source joins the kinds of sources: it says of each which bytes it
// stands for now, and how to fetch them. What can change under its name, a tag, a
// chart, a ConfigMap, becomes parts with digests here; from then on all sources
// go one way. Where an artifact has to be signed, its signature is verified here,
// before anything else of it is read.
//
//	https, file, inline -> Static  ─┐
//	oci  -> tag -> manifest -> layers ├─> []Part
//	helm -> chart -> rendered YAML   │
//	configMap, secret -> keys       ─┘
package source
