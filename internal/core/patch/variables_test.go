package patch

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// oslo is a Cluster with all that variables are made of.
func oslo(change ...func(*clusterv1.Cluster)) *clusterv1.Cluster {
	cluster := &clusterv1.Cluster{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "fleet", Name: "oslo", UID: "1", Labels: map[string]string{"site": "edge-7"},
			Annotations: map[string]string{
				"example.com/zone": "b", "kubectl.kubernetes.io/last-applied-configuration": "{}",
			},
		},
		Spec: clusterv1.ClusterSpec{
			ClusterNetwork: clusterv1.ClusterNetwork{
				Pods:          clusterv1.NetworkRanges{CIDRBlocks: []string{"10.1.0.0/16", "fd00::/48"}},
				Services:      clusterv1.NetworkRanges{CIDRBlocks: []string{"10.96.0.0/12"}},
				ServiceDomain: "cluster.local",
			},
			ControlPlaneEndpoint: clusterv1.APIEndpoint{Host: "api.example.com", Port: 6443},
			Topology: clusterv1.Topology{
				ClassRef: clusterv1.ClusterClassRef{Name: "small"}, Version: "v1.36.1",
				Variables: []clusterv1.ClusterVariable{
					{Name: "mtu", Value: apiextensionsv1.JSON{Raw: []byte("9000")}},
					{Name: "endpoints", Value: apiextensionsv1.JSON{Raw: []byte(`[{"port":1},{"port":2000000}]`)}},
					{Name: "builtin", Value: apiextensionsv1.JSON{Raw: []byte(`"mine"`)}},
				},
			},
		},
	}
	for _, c := range change {
		c(cluster)
	}
	return cluster
}

// written returns a value of a set or a patch.
func written(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

func variablesOf(t *testing.T, cluster *clusterv1.Cluster, set ...v1alpha1.PatchVariable) Variables {
	t.Helper()
	variables, err := VariablesOf(cluster, set, "v1.36.0")
	if err != nil {
		t.Fatal(err)
	}
	return variables
}

func TestVariablesAreReadByTheirPaths(t *testing.T) {
	t.Parallel()
	variables := variablesOf(t, oslo(), v1alpha1.PatchVariable{Name: "mtu", Value: written("1500")},
		v1alpha1.PatchVariable{Name: "ttl", Value: written("30")})
	for path, want := range map[string]string{
		"builtin.cluster.name":                      `"oslo"`,
		"builtin.cluster.namespace":                 `"fleet"`,
		"builtin.cluster.network.pods[0]":           `"10.1.0.0/16"`,
		"builtin.cluster.network.pods[1]":           `"fd00::/48"`,
		"builtin.cluster.network.services":          `["10.96.0.0/12"]`,
		"builtin.cluster.network.serviceDomain":     `"cluster.local"`,
		"builtin.cluster.topology.version":          `"v1.36.1"`,
		"builtin.cluster.topology.class":            `"small"`,
		"builtin.cluster.topology.classRef.name":    `"small"`,
		"builtin.cluster.metadata.labels.site":      `"edge-7"`,
		"builtin.controlPlane.version":              `"v1.36.0"`,
		"controlPlaneEndpoint.host":                 `"api.example.com"`,
		"controlPlaneEndpoint.port":                 `6443`,
		"ttl":                                       `30`,
		"mtu":                                       `9000`, // that of the Cluster is over that of the set
		"endpoints[1].port":                         `2000000`,
		"endpoints[2]":                              "",
		"endpoints[x]":                              "",
		"endpoints[0":                               "",
		"endpoints[-1]":                             "",
		"builtin.cluster.uid":                       "", // it changes with a move
		"builtin.cluster.name.first":                "",
		"builtin":                                   "mapping",
		"nothing":                                   "",
		"":                                          "",
		"builtin.cluster.metadata.annotations[0]":   "",
		"builtin.cluster.network.services[0]x.port": "",
	} {
		value, err := variables.lookup(path)
		got := ""
		if err == nil {
			text, _ := json.Marshal(value)
			got = string(text)
		}
		if got != want && (want != "mapping" || !strings.HasPrefix(got, `{"cluster":`)) {
			t.Errorf("%q: want %q, got %q and %v", path, want, got, err)
		}
	}
	of := variables["builtin"].(map[string]any)["cluster"].(map[string]any)["metadata"].(map[string]any)
	if diff := cmp.Diff([]string{"example.com/zone"}, slices.Collect(maps.Keys(of["annotations"].(map[string]any)))); diff != "" {
		t.Errorf("want no annotation that holds the Cluster (-want +got):\n%s", diff)
	}
}

func TestTheFingerprintIsThatOfWhatVariablesSee(t *testing.T) {
	t.Parallel()
	before := Fingerprint(oslo())
	for name, test := range map[string]struct {
		change func(*clusterv1.Cluster)
		same   bool
	}{
		"status": {func(c *clusterv1.Cluster) { c.Status.Phase = "Provisioned" }, true},
		"uid":    {func(c *clusterv1.Cluster) { c.UID, c.ResourceVersion = "2", "7" }, true},
		"last applied": {func(c *clusterv1.Cluster) {
			c.Annotations["kubectl.kubernetes.io/last-applied-configuration"] = "{x}"
		}, true},
		"pods":     {func(c *clusterv1.Cluster) { c.Spec.ClusterNetwork.Pods.CIDRBlocks[0] = "10.2.0.0/16" }, false},
		"endpoint": {func(c *clusterv1.Cluster) { c.Spec.ControlPlaneEndpoint = clusterv1.APIEndpoint{} }, false},
		"label":    {func(c *clusterv1.Cluster) { c.Labels["site"] = "edge-8" }, false},
		"version":  {func(c *clusterv1.Cluster) { c.Spec.Topology.Version = "v1.37.0" }, false},
		"variable": {func(c *clusterv1.Cluster) { c.Spec.Topology.Variables[0].Value.Raw = []byte("1400") }, false},
	} {
		if same := Fingerprint(oslo(test.change)) == before; same != test.same {
			t.Errorf("%s: want the same: %v", name, test.same)
		}
	}
}
