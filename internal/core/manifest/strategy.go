package manifest

import "encoding/json"

// strategy is how a kind of workload replaces its Pods.
type strategy struct {
	// field of spec that holds it.
	field string
	// without is the type that must not have parameters of a rolling update, which an
	// API server sets by default for the other one.
	without string
}

var strategies = map[[2]string]strategy{
	{"apps", "Deployment"}:  {"strategy", "Recreate"},
	{"apps", "StatefulSet"}: {"updateStrategy", "OnDelete"},
}

const rollingUpdate = "rollingUpdate"

// cleanStrategy removes parameters of a rolling update that are null, as charts
// write them for kubectl: with a server-side apply they remove nothing, and keep what
// is there from being removed.
func cleanStrategy(ref Ref, tree map[string]any) {
	known, ok := strategies[[2]string{ref.Group, ref.Kind}]
	if !ok {
		return
	}
	spec, _ := tree["spec"].(map[string]any)
	written, _ := spec[known.field].(map[string]any)
	if value, ok := written[rollingUpdate]; ok && value == nil {
		delete(written, rollingUpdate)
	}
}

// RuledOut returns the path of a field that a live object must lose before it can
// become the given JSON of an object, and that a server-side apply would leave where
// it is, since an API server set it by default: the parameters of a rolling update
// when a workload is no longer to have one. It is nil for all other objects.
func RuledOut(ref Ref, object []byte) []string {
	known, ok := strategies[[2]string{ref.Group, ref.Kind}]
	if !ok {
		return nil
	}
	var workload struct {
		Spec map[string]json.RawMessage `json:"spec"`
	}
	var written map[string]any
	if json.Unmarshal(object, &workload) != nil || json.Unmarshal(workload.Spec[known.field], &written) != nil {
		return nil
	}
	if written[rollingUpdate] != nil || written["type"] != known.without {
		return nil
	}
	return []string{"spec", known.field, rollingUpdate}
}
