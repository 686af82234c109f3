package readiness

import "fmt"

// Bounds of an object that expressions see. An API server writes none that is
// larger, but a hostile one can answer with anything.
const (
	maxNodes = 200_000
	maxBytes = 3 << 20
)

// tooLarge returns which bound an object crosses, if it does.
func tooLarge(object map[string]any) string {
	var m measured
	m.add(object)
	switch {
	case m.nodes > maxNodes:
		return fmt.Sprintf("%d fields and elements", maxNodes)
	case m.bytes > maxBytes:
		return fmt.Sprintf("%d bytes of text", maxBytes)
	}
	return ""
}

// measured counts the nodes of an object and the bytes of its texts and keys.
type measured struct{ nodes, bytes int }

// add counts a value, and ends soon after a bound is crossed.
func (m *measured) add(value any) {
	m.nodes++
	if m.nodes > maxNodes || m.bytes > maxBytes {
		return
	}
	switch v := value.(type) {
	case string:
		m.bytes += len(v)
	case []any:
		for _, element := range v {
			m.add(element)
		}
	case map[string]any:
		for key, field := range v {
			m.bytes += len(key)
			m.add(field)
		}
	}
}
