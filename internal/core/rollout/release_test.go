package rollout

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
)

const (
	parentPath   = "v1/kube-system/configmaps/caapb.default.cni"
	widgetsPath  = "apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com"
	gadgetsPath  = "apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.example.com"
	spacePath    = "v1/namespaces/operator"
	accountPath  = "v1/operator/serviceaccounts/operator"
	operatorPath = "apps/v1/operator/deployments/operator"
	webhookPath  = "admissionregistration.k8s.io/v1/validatingwebhookconfigurations/operator"
	widgetPath   = "example.com/v1/widgets/default"
	gadgetPath   = "example.com/v1/default/gadgets/first"
	settingsPath = "v1/operator/configmaps/settings"
)

// noon is the time of a first pass.
var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// written is a phase as a test writes it.
type written struct {
	name      string
	documents []string
	readyWhen []v1alpha1.ReadyWhen
	timeout   time.Duration
	// blob is the digest of its source; its name if empty.
	blob string
}

// crd returns a CustomResourceDefinition in the group example.com.
func crd(plural, kind, scope string) string {
	return fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.example.com}
spec:
  group: example.com
  scope: %[3]s
  names: {plural: %[1]s, kind: %[2]s}
  versions: [{name: v1, served: true, storage: true}]
`, plural, kind, scope)
}

// object returns an object with nothing but its metadata.
func object(apiVersion, kind, namespace, name string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %q}\n",
		apiVersion, kind, name, namespace)
}

// addOn is a release of three phases with an object for each step.
func addOn() []written {
	return []written{
		{name: "crds", documents: []string{crd("widgets", "Widget", "Cluster"), crd("gadgets", "Gadget", "Namespaced")}},
		{name: "operator", documents: []string{
			object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", "operator"),
			object("apps/v1", "Deployment", "operator", "operator"),
			object("v1", "ServiceAccount", "operator", "operator"),
			object("v1", "Namespace", "", "operator"),
		}},
		{name: "resources", documents: []string{
			object("example.com/v1", "Widget", "", "default"),
			object("example.com/v1", "Gadget", "", "first"),
			object("v1", "ConfigMap", "operator", "settings"),
		}},
	}
}

// mixed is the add-on as one phase, with all steps that there are.
func mixed() written {
	all := written{name: "all"}
	for _, phase := range addOn() {
		all.documents = append(all.documents, phase.documents...)
	}
	return all
}

// releaseOf plans the phases as a release with the given digest.
func releaseOf(t testing.TB, digest string, phases ...written) Release {
	t.Helper()
	blobs := make(map[string][]byte)
	var inputs []plan.Input
	release := Release{Bundle: "default/calico", Version: "1.2.3", Digest: digest}
	for _, phase := range phases {
		var content bytes.Buffer
		stream := strings.NewReader(strings.Join(phase.documents, "\n---\n"))
		index, err := manifest.Build(&content, manifest.Objects(stream, phase.name, manifest.DefaultLimits()))
		if err != nil {
			t.Fatal(err)
		}
		blob := cmp.Or(phase.blob, phase.name)
		blobs[blob] = content.Bytes()
		inputs = append(inputs, plan.Input{
			Name: phase.name, Blobs: []plan.Blob{{Digest: blob, Entries: index.Entries}},
		})
		rules := Phase{Timeout: cmp.Or(phase.timeout, 10*time.Minute)}
		for _, when := range phase.readyWhen {
			expression, err := readiness.Compile(when)
			if err != nil {
				t.Fatal(err)
			}
			rules.ReadyWhen = append(rules.ReadyWhen, expression)
		}
		release.Phases = append(release.Phases, rules)
	}
	planned, err := plan.New(inputs, manifest.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	release.Plan = planned
	release.JSON = func(o plan.Object) ([]byte, error) { return blobs[o.Blob][o.Offset : o.Offset+o.Length], nil }
	return release
}

// rolloutOf is a release on a cluster at noon.
func rolloutOf(cluster Cluster, release Release) Rollout {
	return Rollout{
		Cluster: cluster, Parent: inventory.ParentOf("default", "cni"), Release: release,
		Adoption: v1alpha1.IfUnownedAdoption, Budget: semaphore.NewWeighted(1 << 20),
		Now: func() time.Time { return noon }, Living: inventory.LivingOf(types.NamespacedName{Namespace: "default", Name: "cni"}),
	}
}

// at returns the rollout so long after noon.
func (r Rollout) at(after time.Duration) Rollout {
	r.Now = func() time.Time { return noon.Add(after) }
	return r
}

// enough passes for any release of a test.
const enough = 50

// converge makes passes until nothing is left to do.
func converge(t *testing.T, r Rollout) Outcome {
	t.Helper()
	var o Outcome
	for range enough {
		if o = r.Run(t.Context()); o.Err == nil {
			return o
		}
	}
	t.Fatalf("still not ready after %d passes: %v", enough, o.Err)
	return o
}

// settle makes passes until one applies nothing more, and returns its outcome: a
// pass does not look at a gate whose objects it has just applied.
func settle(t *testing.T, r Rollout) Outcome {
	t.Helper()
	const enough = 50
	for range enough {
		before := r.Cluster.(*memory).applied()
		o := r.Run(t.Context())
		if r.Cluster.(*memory).applied() == before {
			return o
		}
	}
	t.Fatalf("still applying after %d passes", enough)
	return Outcome{}
}
