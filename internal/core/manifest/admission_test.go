package manifest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rooms records what is admitted, and fails when two documents hold memory at once.
type rooms struct {
	t     *testing.T
	taken []int64
	held  bool
}

func (r *rooms) admit(bytes int64) (func(), error) {
	if r.held {
		r.t.Error("a document asks for memory while another one holds some")
	}
	r.held = true
	r.taken = append(r.taken, bytes)
	return func() { r.held = false }, nil
}

func TestADocumentIsDecodedWhenThereIsMemory(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits()
	all := limits.Memory()
	long := strings.Repeat("x", bigText)
	const named = "apiVersion: v1\nkind: X\nmetadata: {name: a}\n"
	tests := map[string]struct {
		given string
		want  []int64
	}{
		"small ones, by their nodes": {named + "---\n" + named + "a: [b, c]\n", []int64{memory(43, 9), memory(53, 13)}},
		"JSON, by its nodes":         {minimal("a"), []int64{memory(int64(len(minimal("a"))), 13)}},
		"a big one takes all":        {named + "a:\n- " + long[:bigText/2] + "\n- " + long[:bigText/2] + "\n---\n" + named, []int64{all, memory(43, 9)}},
		"a long line takes all":      {named + "a: " + long + "\n", []int64{all}},
		"aliases take all":           {named + "a: &a b\nc: *a\n", []int64{all}},
		"what is refused for its nodes takes nothing": {
			"a: [" + strings.Repeat("b,", limits.Nodes) + "]\n", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rooms{t: t}
			for object, err := range AdmittedObjects(strings.NewReader(test.given), "a.yaml", limits, r.admit) {
				if err == nil && !r.held {
					t.Errorf("%s has no memory", object.Place)
				}
			}
			if diff := cmp.Diff(test.want, r.taken); diff != "" {
				t.Errorf("memory (-want +got):\n%s", diff)
			}
			if r.held {
				t.Error("memory was not given back")
			}
		})
	}
}

func TestWhatIsNotAdmittedEndsTheSequence(t *testing.T) {
	t.Parallel()
	cause := errors.New("shutting down")
	for name, given := range map[string]string{
		"a small document": document("a"),
		"a big one":        document("a") + "b: |\n" + strings.Repeat("  x\n", bigText),
		"a long line":      document("a") + "b: " + strings.Repeat("x", 2*bigText) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refuse := func(int64) (func(), error) { return nil, cause }
			var got []error
			for _, err := range AdmittedObjects(strings.NewReader(given), "a.yaml", DefaultLimits(), refuse) {
				got = append(got, err)
			}
			if len(got) != 1 || !errors.Is(got[0], cause) {
				t.Errorf("want only %v, got %v", cause, got)
			}
		})
	}
}
