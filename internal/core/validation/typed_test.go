package validation

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/structured-merge-diff/v6/typed"
	smdvalue "sigs.k8s.io/structured-merge-diff/v6/value"
)

const rich = `
metadata: {name: a, labels: {a: b}, annotations: {c: d}, finalizers: [a/a]}
spec:
  hostAliases: [{ip: 10.0.0.1, hostnames: [a, b]}]
  imagePullSecrets: [{name: a}, {name: b}]
  nodeSelector: {a: b}
  tolerations: [{key: a, operator: Exists}]
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]
  affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {}}]}}
  volumes: [{name: a, emptyDir: {}}, {name: b, configMap: {name: b, defaultMode: 420, items: [{key: a, path: b}]}}]
  containers:
  - name: main
    image: a
    env: [{name: A, value: b}, {name: B, valueFrom: {fieldRef: {fieldPath: a}}}]
    ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}]
    volumeMounts: [{name: a, mountPath: /a}]
    resources: {limits: {cpu: 1, memory: 1Gi}}
    livenessProbe: {httpGet: {port: 80, path: /}}
`

// TestFindingsAreThoseOfAServerSideApply changes a Pod at random and compares what is
// found with the code that API servers have for it.
func TestFindingsAreThoseOfAServerSideApply(t *testing.T) {
	t.Parallel()
	ref, _ := typeOf(pod)
	refused := func(tree any) error {
		_, err := typed.AsTyped(smdvalue.NewValueInterface(tree), builtIn(), ref)
		return err
	}
	isMissing := func(finding string) bool { return strings.HasSuffix(finding, " is missing") }
	isDuplicate := func(finding string) bool { return strings.HasSuffix(finding, "the last one is delivered") }
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		tree := treeOf(t, rich)
		for range 1 + random.IntN(3) {
			change(random, tree)
		}
		before := refused(tree)
		found := Normalize(pod, tree, most)
		switch {
		case before != nil && len(found) == 0:
			t.Fatalf("seed %d: found nothing, and a server-side apply says: %v", seed, before)
		case before == nil && !slices.ContainsFunc(found, isMissing) && len(found) > 0:
			t.Fatalf("seed %d: a server-side apply takes it, found %q", seed, found)
		}
		// What is found again is what cannot be mended, and that is what is refused.
		again := Normalize(pod, tree, most)
		if slices.ContainsFunc(again, isDuplicate) {
			t.Fatalf("seed %d: duplicates stay: %q", seed, again)
		}
		if after := refused(tree); len(again) == 0 && after != nil {
			t.Fatalf("seed %d: a server-side apply refuses what is left: %v", seed, after)
		}
	}
}

// change changes one value of a tree, or one below it.
func change(random *rand.Rand, value any) {
	odd := []any{nil, true, int64(7), 1.5, "text", map[string]any{}, []any{}}
	switch v := value.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		switch {
		case len(keys) == 0 || random.IntN(12) == 0:
			v["odd"] = odd[random.IntN(len(odd))]
		case random.IntN(5) == 0:
			v[keys[random.IntN(len(keys))]] = odd[random.IntN(len(odd))]
		default:
			change(random, v[keys[random.IntN(len(keys))]])
		}
	case []any:
		switch {
		case len(v) == 0:
		case len(v) > 1 && random.IntN(2) == 0:
			v[0] = v[len(v)-1]
		case random.IntN(4) == 0:
			v[random.IntN(len(v))] = odd[random.IntN(len(odd))]
		default:
			change(random, v[random.IntN(len(v))])
		}
	}
}
