package validation

import (
	"fmt"

	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
)

// TypeOf names the type of a value as JSON has it, for a message.
func TypeOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "text"
	case bool:
		return "a boolean"
	case map[string]any:
		return "a mapping"
	case []any:
		return "a sequence"
	}
	return "a number"
}

// fits reports whether a value, neither a mapping nor a sequence, is of a type.
func fits(want smd.Scalar, value any) bool {
	switch value.(type) {
	case string:
		return want == smd.String || want == smd.Untyped
	case bool:
		return want == smd.Boolean || want == smd.Untyped
	}
	return want == smd.Numeric || want == smd.Untyped
}

// mismatch describes a value that is not of its type.
func mismatch(want smd.Atom, value any) string {
	got := TypeOf(value)
	switch {
	case want.Map != nil:
		return got + " and not a mapping"
	case want.List != nil:
		return got + " and not a sequence"
	case *want.Scalar == smd.String && isScalar(value):
		return got + " and not text: put it in quotes"
	}
	return fmt.Sprintf("%s and not %s", got, scalarNames[*want.Scalar])
}

var scalarNames = map[smd.Scalar]string{
	smd.String: "text", smd.Numeric: "a number", smd.Boolean: "a boolean", smd.Untyped: "a single value",
}

func isScalar(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}
