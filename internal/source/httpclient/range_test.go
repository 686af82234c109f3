package httpclient

import (
	"io"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestContentRanges(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given  string
		want   ContentRange
		wantOK bool
	}{
		"a part of a file":                  {"bytes 90-99/100", ContentRange{90, 99, 100}, true},
		"a part of a file of unknown size":  {"bytes 90-99/*", ContentRange{90, 99, -1}, true},
		"one byte":                          {"bytes 0-0/1", ContentRange{0, 0, 1}, true},
		"a part that ends before it begins": {"bytes 9-8/10", ContentRange{9, 8, 10}, false},
		"a sign":                            {"bytes +1-2/10", ContentRange{Size: 10}, false},
		"another unit":                      {given: "lines 0-1/2"},
		"a range that is not satisfied":     {given: "bytes */100"},
		"nothing":                           {},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := ParseContentRange(tc.given)
			if ok != tc.wantOK || ok && got != tc.want {
				t.Errorf("want %v, %t, got %v, %t", tc.want, tc.wantOK, got, ok)
			}
		})
	}
}

func TestALimitCountsFromTheBeginningOfTheFile(t *testing.T) {
	t.Parallel()
	read := func(from, maxBytes int64) (string, error) {
		body, err := io.ReadAll(Limit(io.NopCloser(strings.NewReader("abc")), from, maxBytes))
		return string(body), err
	}
	if got, err := read(7, 10); err != nil || got != "abc" {
		t.Errorf("want a file as large as the limit to be read, got %q, %v", got, err)
	}
	_, err := read(8, 10)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "larger than the limit of 10 bytes")
}
