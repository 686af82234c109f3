// Package manifest turns the bytes of a source into Kubernetes objects as
// compact JSON, and into the index that planning and applying need.
//
//	bytes -> lines -> documents -> values -> objects as JSON -> Build -> object file + Index
//	          split.go   nodes.go  yaml.go   normal.go          index.go
//	                               json.go   object.go, encode.go
//
// Objects reads YAML and JSON streams as kubectl splits them, one document at a
// time: memory depends on the largest document and never on the stream. The nodes of a
// document are counted in its text before it is decoded, and of documents that are read
// side by side each is decoded when there is memory for it. Build
// copies each object's JSON to a writer, back to back, and returns an Index with
// the place of each. The JSON is in a form of our own in which a label and
// an annotation can be added without decoding; see Objects and Marked.
//
// The package refuses what the API server would refuse later or what could be
// read in two ways: text that is not UTF-8, duplicated keys of a mapping,
// objects without apiVersion, kind or name, labels that are no strings, and
// everything over a limit. Built-in kinds are compared with their schemas, which
// gives warnings and no errors. It does not fill in defaults and does not fetch
// anything. BuiltIn knows the kinds that come with Kubernetes; nothing here reads a
// cluster.
//
// The package is pure: no client, no network, no file system, no clock.
package manifest
