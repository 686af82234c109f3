package readiness

import (
	"math"
	"regexp/syntax"
	"strings"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apiserver/pkg/cel/library"
)

// The names of the steps that make a list or a map of its elements, beside those
// of functions.
const (
	listLiteral = "@list"
	mapLiteral  = "@map"
)

const (
	// tooMuch is the cost of what is not done.
	tooMuch = math.MaxUint64
	// maxPattern is the longest regular expression, in bytes.
	maxPattern = 4096
	// maxQuantity is the longest quantity, in bytes. One of a million digits is
	// read for seconds.
	maxQuantity = 64
	// maxExponent is how many digits the exponent of a quantity may have. To read
	// 1e1000000000 takes minutes and gigabytes.
	maxExponent = 3
)

// costs are what functions cost by their arguments: those whose work may be more
// than the length of one argument. They are charged before they run. The unit is
// that of cel-go: a step, a node of a list or a map, or ten characters.
var costs = map[string]func(args []ref.Val) uint64{
	operators.Equals:    lighter,
	operators.NotEquals: lighter,
	operators.In:        membership,
	operators.Add:       sum,
	listLiteral:         sum,
	mapLiteral:          sum,
	"matches":           match,
	"indexOf":           find,
	"lastIndexOf":       find,
	"join":              join,
	"replace":           replace,
	"split":             sum,
	"quantity":          quantity,
	"isQuantity":        quantity,
}

// price charges for calls: what costs has, and what the library of Kubernetes
// charges for its own functions.
type price struct{}

// CallCost returns the cost of a call, or nil for what cel-go takes.
func (price) CallCost(function, overload string, args []ref.Val, result ref.Val) *uint64 {
	if cost, ok := costs[function]; ok {
		return new(cost(args))
	}
	return (&library.CostEstimator{}).CallCost(function, overload, args, result)
}

// weight returns the nodes of a value, and a tenth of the characters in it. It
// ends with more than limit as soon as there are more: a value may hold another
// one many times.
func weight(value ref.Val, limit uint64) uint64 {
	s := scale{limit: limit}
	s.add(value)
	return s.sum
}

type scale struct{ sum, limit uint64 }

// add weighs a value, and reports whether there is room for more.
func (s *scale) add(value ref.Val) bool {
	s.sum++
	switch v := value.(type) {
	case types.String:
		s.sum += tenth(len(v))
	case types.Bytes:
		s.sum += tenth(len(v))
	case *types.Optional:
		if v.HasValue() {
			s.add(v.GetValue())
		}
	case traits.Mapper:
		s.addAll(v, func(key ref.Val) bool { return s.add(key) && s.add(v.Get(key)) })
	case traits.Lister:
		s.addAll(v, s.add)
	}
	return s.sum <= s.limit
}

// addAll weighs what is in a list or a map, while there is room.
func (s *scale) addAll(all traits.Iterable, add func(ref.Val) bool) {
	for it := all.Iterator(); it.HasNext() == types.True; {
		if !add(it.Next()) {
			return
		}
	}
}

// lighter returns the weight of the lighter one of two values: they are compared
// until one of them ends. It takes time for that one only.
func lighter(args []ref.Val) uint64 {
	for limit := uint64(64); ; limit *= 4 {
		a, b := weight(args[0], limit), weight(args[1], limit)
		if min(a, b) <= limit || limit > maxCost {
			return min(a, b)
		}
	}
}

// membership is the cost of comparing a value with each element of a list.
func membership(args []ref.Val) uint64 {
	list, ok := args[1].(traits.Lister)
	if !ok {
		return weight(args[0], maxCost)
	}
	each := weight(args[0], maxCost) * max(1, size(list))
	return min(each, weight(list, min(each, maxCost)))
}

// sum is the cost of what holds all of its arguments. The list that filter makes
// is not copied with each element.
func sum(args []ref.Val) uint64 {
	if _, grows := args[0].(traits.MutableLister); grows {
		return 1
	}
	s := scale{limit: maxCost}
	for _, arg := range args {
		if !s.add(arg) {
			break
		}
	}
	return s.sum
}

// match is the cost of a regular expression, which is about the length of the
// text times the number of its instructions.
func match(args []ref.Val) uint64 {
	text, pattern := stringOfValue(args[0]), stringOfValue(args[1])
	if len(pattern) > maxPattern {
		return tooMuch
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 1 + tenth(len(pattern))
	}
	return (1 + tenth(len(text))) * (1 + instructions(parsed)/4)
}

// instructions returns about how many instructions a regular expression has once
// its repetitions are written out.
func instructions(re *syntax.Regexp) uint64 {
	n := 1 + uint64(len(re.Rune))
	for _, sub := range re.Sub {
		n += instructions(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= uint64(max(1, re.Min, re.Max))
	}
	return n
}

// find is the cost of looking for one text in another at each place of it, or for
// a value in a list.
func find(args []ref.Val) uint64 {
	if _, ok := args[0].(traits.Lister); ok {
		return weight(args[0], maxCost)
	}
	text, part := uint64(len(stringOfValue(args[0]))), uint64(len(stringOfValue(args[1])))
	return 1 + text/10 + text*part/100
}

// join is the cost of the text that a list makes with a separator.
func join(args []ref.Val) uint64 {
	cost := weight(args[0], maxCost)
	if list, ok := args[0].(traits.Lister); ok && len(args) > 1 {
		cost += size(list) * tenth(len(stringOfValue(args[1])))
	}
	return cost
}

// replace is the cost of the longest text that a replacement can make.
func replace(args []ref.Val) uint64 {
	if len(args) < 3 {
		return 1
	}
	text, old, by := stringOfValue(args[0]), stringOfValue(args[1]), stringOfValue(args[2])
	times := len(text)/max(1, len(old)) + 1
	return 1 + tenth(len(text)) + uint64(times)*tenth(len(by))
}

// quantity is the cost of reading a quantity. The reader of Kubernetes computes
// ten to the power of any exponent.
func quantity(args []ref.Val) uint64 {
	text := stringOfValue(args[0])
	exponent := strings.LastIndexAny(text, "eE")
	if len(text) > maxQuantity || exponent >= 0 && len(strings.TrimLeft(text[exponent+1:], "+-")) > maxExponent {
		return tooMuch
	}
	return 1 + tenth(len(text))
}

// tenth returns a tenth, rounded up.
func tenth(n int) uint64 { return uint64(n+9) / 10 } //nolint:gosec // a length

func size(list traits.Lister) uint64 {
	n, _ := list.Size().(types.Int)
	return uint64(max(n, 0))
}

// stringOfValue returns the value if it is a string.
func stringOfValue(value ref.Val) string {
	s, _ := value.(types.String)
	return string(s)
}
