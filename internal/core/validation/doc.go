// Package validation compares objects of built-in kinds with the schemas that a
// server-side apply has for them, and finds what an API server would refuse.
//
//	kind + tree ─> schema.go (its type) ─> walk.go (mappings, scalars) ─> findings
//	                                        lists.go (list-maps, sets) ─> tree without duplicates
//
// The schemas are those that client-go brings: types, fields and the keys of lists, of
// one version of Kubernetes. They have neither the rules between fields nor custom
// resources: a kind without a schema is left alone.
//
// The package is pure: what it imports of client-go are types and a constant.
package validation
