package inventory

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// TestIDIsThatOfKEP3659 holds the ID of one set, computed with other tools:
//
//	printf caapb.default.cni.kube-system.ConfigMap. | openssl dgst -sha256 -binary | base64 | tr +/ -_
func TestIDIsThatOfKEP3659(t *testing.T) {
	t.Parallel()
	const want = "applyset-LQ-bpfOEOG3E66yDo4Pop8tDiyZ34B3LgX2WBXV7hrY-v1"
	parent := ParentOf("default", "cni")
	if parent.ID() != want || parent.Name() != "caapb.default.cni" {
		t.Errorf("want %s, got %s of %s", want, parent.ID(), parent.Name())
	}
}

func TestIDFollowsFromTheParent(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	tests := map[string]struct{ givenNamespace, givenName string }{
		"a short set":                  {"a", "b"},
		"a name with dots":             {"a", "b.c"},
		"names that are alike":         {"a-b", "c"},
		"names that are alike as well": {"a", "b-c"},
		"the longest names":            {strings.Repeat("n", 63), strings.Repeat("s", 63)},
	}
	for name, test := range tests {
		parent := ParentOf(test.givenNamespace, test.givenName)
		config, err := parent.Update(&corev1.ConfigMap{}, Record{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(config.Name + "." + config.Namespace + "." + config.Kind + "."))
		want := "applyset-" + strings.TrimRight(base64.URLEncoding.EncodeToString(sum[:]), "=") + "-v1"
		if got := config.Labels["applyset.kubernetes.io/id"]; got != want || got != parent.ID() {
			t.Errorf("%s: want %s, got %s", name, want, got)
		}
		problems := append(validation.IsValidLabelValue(parent.ID()), validation.IsDNS1123Subdomain(parent.Name())...)
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		if other, ok := seen[parent.ID()]; ok {
			t.Errorf("%s has the ID of %s", name, other)
		}
		seen[parent.ID()] = name
	}
}

func TestConfigMapSaysHowFarTheReleaseIs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given Progress
		want  string
	}{
		"at the beginning":     {Progress{}, "crds"},
		"in the middle":        {Progress{Phase: 1}, "operator"},
		"when all is complete": {Progress{Phase: 2}, "complete"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := ParentOf("a", "b").Update(&corev1.ConfigMap{}, Record{Progress: test.given}, []string{"crds", "operator"})
			if err != nil {
				t.Fatal(err)
			}
			if got := config.Annotations["addons.cluster.x-k8s.io/phase"]; got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func TestConfigMapSortsTheGroupKindsAndLeavesTheRecordAlone(t *testing.T) {
	t.Parallel()
	given := []string{"Service", "Deployment.apps", "Service"}
	config, err := ParentOf("a", "b").Update(&corev1.ConfigMap{}, Record{GroupKinds: given}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Annotations["applyset.kubernetes.io/contains-group-kinds"]; got != "Deployment.apps,Service" {
		t.Errorf("want them sorted and unique, got %q", got)
	}
	if diff := cmp.Diff([]string{"Service", "Deployment.apps", "Service"}, given); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
}

func TestTimeThatJSONDoesNotHaveIsAnError(t *testing.T) {
	t.Parallel()
	far := Progress{Phases: []PhaseTimes{{Started: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}}}
	_, err := ParentOf("a", "b").Update(&corev1.ConfigMap{}, Record{Progress: far}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "progress: ") {
		t.Errorf("want an error that names the progress, got %v", err)
	}
}

func TestProgressGoesFromPhaseToPhase(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("east", 3600)
	first := Progress{}.Begin(noon.Add(999 * time.Millisecond).In(zone))
	second := first.Begin(noon.Add(time.Hour)).Complete(noon.Add(time.Minute + time.Nanosecond).In(zone))
	third := second.Begin(noon.Add(2 * time.Minute))
	want := []Progress{
		{Phases: []PhaseTimes{{Started: noon}}},
		{Phase: 1, Phases: []PhaseTimes{{Started: noon, Completed: noon.Add(time.Minute)}}},
		{Phase: 1, Phases: []PhaseTimes{
			{Started: noon, Completed: noon.Add(time.Minute)}, {Started: noon.Add(2 * time.Minute)},
		}},
	}
	// What follows must not have changed what was before.
	if diff := cmp.Diff(want, []Progress{first, second, third}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, p := range []Progress{{}, first, second, third} {
		if !p.valid() {
			t.Errorf("%+v counts as not valid", p)
		}
	}
}

func TestWhatCannotBeReadCountsAsNothingDone(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"no progress":                     ``,
		"no JSON":                         `{"phase":1`,
		"another kind of JSON":            `[1,2]`,
		"a phase of another type":         `{"phase":"1"}`,
		"a negative phase":                `{"phase":-1}`,
		"a negative number of steps":      `{"phase":0,"steps":-2}`,
		"a phase whose times are missing": `{"phase":2,"steps":1,"phases":[{"started":"2026-08-01T12:00:00Z"}]}`,
		"times of phases that have not begun": `{"phase":0,"phases":[` +
			`{"started":"2026-08-01T12:00:00Z"},{"started":"2026-08-01T12:00:00Z"}]}`,
		"a time that is none":        `{"phase":1,"phases":[{"started":"noon"}]}`,
		"a number that does not fit": `{"phase":99999999999999999999}`,
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := RecordOf(&corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{digestAnnotation: "sha256:1"}},
				Data:       map[string]string{progressKey: given},
			})
			if diff := cmp.Diff(Record{Digest: "sha256:1"}, record); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff(Record{}, RecordOf(&corev1.ConfigMap{})); diff != "" {
		t.Errorf("no parent (-want +got):\n%s", diff)
	}
}

// FuzzRecord checks that a record comes back as it was written, and that the
// reader takes anything.
func FuzzRecord(f *testing.F) {
	f.Add("default/calico", "3.32.1", "sha256:1", "Deployment.apps", 3, 2, uint32(60), `{"phase":1}`)
	f.Add("", "", "", "", 0, 0, uint32(0), "{")
	f.Add("ü", "\n", ",", "Ä.b", 16, 9, uint32(1<<31), `{"phase":-1}`)
	f.Fuzz(func(t *testing.T, bundle, version, digest, kind string, phases, steps int, seconds uint32, garbage string) {
		given := Record{Bundle: bundle, Version: version, Digest: digest, Upgrade: phases > 1}
		if kind = strings.ReplaceAll(kind, ",", ""); kind != "" {
			given.GroupKinds = []string{kind}
		}
		progress := Progress{}.Begin(noon)
		for range min(max(phases, 0), 16) {
			progress = progress.Complete(noon.Add(time.Duration(seconds) * time.Second)).Begin(noon)
		}
		given.Progress = progress
		config, err := ParentOf("default", "cni").Update(&corev1.ConfigMap{}, given, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(given, RecordOf(config), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		config.Data[progressKey] = garbage
		if read := RecordOf(config).Progress; !read.valid() {
			t.Errorf("%q became %+v", garbage, read)
		}
	})
}

func TestAParentSaysWhetherItsReleaseIsComplete(t *testing.T) {
	t.Parallel()
	parent := ParentOf("default", "calico")
	begun := Progress{}.Begin(time.Unix(1, 0))
	tests := map[string]struct {
		given  Record
		digest string
		want   bool
	}{
		"all phases are":    {Record{Digest: "a", Progress: begun.Complete(time.Unix(2, 0))}, "a", true},
		"a phase is not":    {Record{Digest: "a", Progress: begun}, "a", false},
		"it is another one": {Record{Digest: "b", Progress: begun.Complete(time.Unix(2, 0))}, "a", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			written, err := parent.Update(&corev1.ConfigMap{}, tc.given, []string{"crds"})
			if err != nil {
				t.Fatal(err)
			}
			if got := IsComplete(written, tc.digest); got != tc.want {
				t.Errorf("want %t, got %t", tc.want, got)
			}
		})
	}
}
