package manifest

// Limits bounds what Objects accepts. Crossing a limit is an error and never a
// truncation. A limit of zero or less admits nothing; start from DefaultLimits.
type Limits struct {
	// Object is the size in bytes of one object as JSON. A document may have
	// four times as much before it is decoded, since YAML is longer than JSON.
	Object int64
	// Objects is the number of objects of one stream.
	Objects int
	// Nesting is the number of mappings and sequences inside each other,
	// counted from the top of the document.
	Nesting int
	// Nodes is the number of mappings, sequences, keys and values of one document.
	Nodes int
}

// DefaultLimits returns the limits that hold unless flags change them: 3 MiB
// for an object, which is the API server's own limit for a request, 10,000
// objects, a nesting of 100, and 200,000 nodes, which is five times as many as the
// largest CRDs have that are published.
func DefaultLimits() Limits {
	return Limits{Object: 3 << 20, Objects: 10_000, Nesting: 100, Nodes: 200_000}
}

// Memory returns how many bytes of memory one document may take while it is decoded.
func (l Limits) Memory() int64 { return memory(l.document(), l.Nodes) }

// memory returns how many bytes of memory a document takes, about.
func memory(bytes int64, nodes int) int64 { return 6*bytes + 500*int64(nodes) }

// document returns the size in bytes that a document may have before it is
// decoded.
func (l Limits) document() int64 { return 4 * l.Object }
