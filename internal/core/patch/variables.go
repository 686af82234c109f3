package patch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Names of variables that are always those of the Cluster.
const (
	builtin  = "builtin"
	endpoint = "controlPlaneEndpoint"
)

// controlPlane is the member of builtin with the version of the control plane.
const controlPlane = "controlPlane"

// Variables are the variables of one Cluster, by their names.
type Variables map[string]any

// VariablesOf returns the variables of a Cluster: those of the set, over them those of
// its topology, and over all what the Cluster itself is. kubernetes is the version of its
// control plane; empty while that is not known. The UID is not among them: it changes
// when the Cluster moves to another management cluster, which is no reason to write.
func VariablesOf(cluster *clusterv1.Cluster, set []v1alpha1.PatchVariable, kubernetes string) (Variables, error) {
	written, err := json.Marshal(rawOf(cluster, set, kubernetes))
	if err != nil {
		return nil, errNotJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(written))
	decoder.UseNumber()
	var all map[string]any
	if err := decoder.Decode(&all); err != nil {
		return nil, errNotJSON
	}
	return withNumbers(all).(map[string]any), nil
}

var errNotJSON = fault.Stallf(v1alpha1.PatchFailedReason, "variables: not JSON")

// Fingerprint stands for what VariablesOf takes of a Cluster: with another one it gives
// other variables.
func Fingerprint(cluster *clusterv1.Cluster) string {
	written, err := json.Marshal(rawOf(cluster, nil, ""))
	if err != nil {
		return errNotJSON.Error()
	}
	return string(written)
}

// rawOf returns variables as they are written.
func rawOf(cluster *clusterv1.Cluster, set []v1alpha1.PatchVariable, kubernetes string) map[string]any {
	variables := map[string]any{}
	for _, of := range set {
		if of.Value != nil {
			variables[of.Name] = json.RawMessage(of.Value.Raw)
		}
	}
	for _, of := range cluster.Spec.Topology.Variables {
		variables[of.Name] = json.RawMessage(of.Value.Raw)
	}
	variables[builtin] = builtinsOf(cluster, kubernetes)
	delete(variables, endpoint)
	if at := cluster.Spec.ControlPlaneEndpoint; at.IsValid() {
		variables[endpoint] = map[string]any{"host": at.Host, "port": at.Port}
	}
	return variables
}

// builtinsOf returns the variable builtin, as a ClusterClass has it.
func builtinsOf(cluster *clusterv1.Cluster, kubernetes string) map[string]any {
	of := map[string]any{
		"name": cluster.Name, "namespace": cluster.Namespace,
		"metadata": withoutEmpty(map[string]any{
			"labels": cluster.Labels, "annotations": annotationsOf(cluster),
		}),
		"network": withoutEmpty(map[string]any{
			"pods":          cluster.Spec.ClusterNetwork.Pods.CIDRBlocks,
			"services":      cluster.Spec.ClusterNetwork.Services.CIDRBlocks,
			"serviceDomain": cluster.Spec.ClusterNetwork.ServiceDomain,
		}),
	}
	if class := cluster.GetClassKey(); class.Name != "" {
		of["topology"] = map[string]any{
			"version": cluster.Spec.Topology.Version, "class": class.Name, "classNamespace": class.Namespace,
			"classRef": map[string]any{"name": class.Name, "namespace": class.Namespace},
		}
	}
	all := map[string]any{"cluster": of}
	if kubernetes != "" {
		all[controlPlane] = map[string]any{"version": kubernetes}
	}
	return all
}

// annotationsOf returns the annotations of a Cluster without those that hold all of it.
func annotationsOf(cluster *clusterv1.Cluster) map[string]string {
	annotations := maps.Clone(cluster.Annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool {
		return key == corev1.LastAppliedConfigAnnotation || key == "cluster.x-k8s.io/conversion-data"
	})
	return annotations
}

// withoutEmpty removes the members of a mapping that are empty.
func withoutEmpty(all map[string]any) map[string]any {
	maps.DeleteFunc(all, func(_ string, value any) bool {
		switch v := value.(type) {
		case string:
			return v == ""
		case []string:
			return len(v) == 0
		case map[string]string:
			return len(v) == 0
		}
		return false
	})
	return all
}

// withNumbers returns a value with numbers that are whole as int64, so that templates
// write them as such.
func withNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = withNumbers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	case json.Number:
		return number(v)
	}
	return value
}

func number(written json.Number) any {
	if whole, err := written.Int64(); err == nil {
		return whole
	}
	broken, _ := written.Float64() // that of JSON is one
	return broken
}

// lookup returns the value at a path of dots and indices, as in
// builtin.cluster.network.pods[0].
func (v Variables) lookup(path string) (any, error) {
	var at any = map[string]any(v)
	for segment := range strings.SplitSeq(path, ".") {
		name, _, _ := strings.Cut(segment, "[")
		members, _ := at.(map[string]any)
		value, ok := members[name]
		if !ok {
			return nil, fmt.Errorf("the Cluster has no variable %s: %q is missing", path, name)
		}
		var err error
		if at, err = itemAt(value, segment[len(name):]); err != nil {
			return nil, fmt.Errorf("variable %s: %w", path, err)
		}
	}
	return at, nil
}

// itemAt returns the item at indices, such as "[0]", the value itself without any.
func itemAt(value any, indices string) (any, error) {
	for indices != "" {
		index, rest, ok := strings.Cut(strings.TrimPrefix(indices, "["), "]")
		n, err := strconv.ParseUint(index, 10, 16)
		if !ok || err != nil || indices[0] != '[' {
			return nil, fmt.Errorf("%q is no index", indices)
		}
		items, _ := value.([]any)
		if n >= uint64(len(items)) {
			return nil, fmt.Errorf("it has no item [%d]", n)
		}
		value, indices = items[n], rest
	}
	return value, nil
}
