package inventory

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestFieldManager(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("s", 253)
	tests := map[string]struct{ givenNamespace, givenName, want string }{
		"a usual set":              {"team-a", "cni", "caapb.team-a.cni"},
		"a name with dots":         {"a", "b.c", "caapb.a.b.c"},
		"the longest that fits":    {"a", strings.Repeat("s", 120), "caapb.a." + strings.Repeat("s", 120)},
		"one byte more":            {"a", strings.Repeat("s", 121), "caapb.a." + strings.Repeat("s", 103) + ":174942863414faa3"},
		"the longest names":        {strings.Repeat("n", 63), longest, ""},
		"names alike to the end":   {strings.Repeat("n", 63), longest[1:] + "t", ""},
		"names alike but one byte": {strings.Repeat("n", 63), longest[1:] + "u", ""},
	}
	seen := make(map[string]string)
	for name, test := range tests {
		got := ParentOf(test.givenNamespace, test.givenName).FieldManager()
		if test.want != "" && got != test.want {
			t.Errorf("%s: want %s, got %s", name, test.want, got)
		}
		if problems := metav1validation.ValidateFieldManager(got, nil); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%s has the field manager of %s: %s", name, other, got)
		}
		seen[got] = name
		if !isProvider(got) {
			t.Errorf("%s: %s does not count as a field manager of ours", name, got)
		}
	}
}

// TestNoSetHasTheNameOfAShortenedFieldManager holds that nobody can name a set so
// that it gets the field manager of another one.
func TestNoSetHasTheNameOfAShortenedFieldManager(t *testing.T) {
	t.Parallel()
	short := ParentOf("a", strings.Repeat("s", 200)).FieldManager()
	name := strings.TrimPrefix(short, "caapb.a.")
	if problems := validation.IsDNS1123Subdomain(name); len(problems) == 0 {
		t.Errorf("a set can be named %s", name)
	}
}

func TestFieldManagersOfThisProvider(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"caapb": true, "caapb.a.b": true,
		"": false, "caap": false, "caapb-fork": false, "kubectl": false, "not.caapb.a.b": false,
	}
	for given, want := range tests {
		if got := isProvider(given); got != want {
			t.Errorf("%q: want %t, got %t", given, want, got)
		}
	}
}

func TestSharedAnnotation(t *testing.T) {
	t.Parallel()
	want := fmt.Sprintf("%x", sha256.Sum256([]byte("team-a/b.c")))[:16] + ".addons.cluster.x-k8s.io/sha256"
	got := ParentOf("team-a", "b.c").SharedAnnotation()
	if got != want {
		t.Errorf("want %s, got %s", want, got)
	}
	if problems := validation.IsQualifiedName(got); len(problems) > 0 {
		t.Errorf("%s: %v", got, problems)
	}
	if other := ParentOf("team-b", "b.c").SharedAnnotation(); other == got {
		t.Errorf("two sets have the annotation %s", got)
	}
	if problems := validation.IsQualifiedName(SHA256Annotation); len(problems) > 0 {
		t.Errorf("%s: %v", SHA256Annotation, problems)
	}
}

func TestLivingOf(t *testing.T) {
	t.Parallel()
	cni := types.NamespacedName{Namespace: "team-a", Name: "cni"}
	dotted := types.NamespacedName{Namespace: "team-b", Name: "b.c"}
	want := Living{
		ParentOf("team-a", "cni").ID(): "team-a/cni",
		ParentOf("team-b", "b.c").ID(): "team-b/b.c",
	}
	living := LivingOf(cni, dotted, cni)
	if diff := cmp.Diff(want, living); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	managers := living.managers(ParentOf("team-a", "cni").ID())
	if diff := cmp.Diff(map[string]bool{"caapb.team-b.b.c": true}, managers); diff != "" {
		t.Errorf("field managers without one (-want +got):\n%s", diff)
	}
	if none := LivingOf(); none == nil || len(none) != 0 {
		t.Errorf("want no set, got %v", none)
	}
}
