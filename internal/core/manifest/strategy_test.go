package manifest

import (
	"strings"
	"testing"
)

func TestAWorkloadThatIsNotReplacedStepByStepHasNoParametersForIt(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given    string // kind and spec
		wantJSON string // of the spec
		want     string
	}{
		"a Deployment that is recreated": {
			"kind: Deployment\nspec: {strategy: {type: Recreate}}",
			`{"strategy":{"type":"Recreate"}}`, "spec.strategy.rollingUpdate",
		},
		"with parameters that are null": {
			"kind: Deployment\nspec: {strategy: {type: Recreate, rollingUpdate: null}}",
			`{"strategy":{"type":"Recreate"}}`, "spec.strategy.rollingUpdate",
		},
		"but with parameters it is its author's mistake": {
			"kind: Deployment\nspec: {strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}}",
			`{"strategy":{"rollingUpdate":{"maxSurge":1},"type":"Recreate"}}`, "",
		},
		"a StatefulSet whose Pods somebody deletes": {
			"kind: StatefulSet\nspec: {updateStrategy: {type: OnDelete}}",
			`{"updateStrategy":{"type":"OnDelete"}}`, "spec.updateStrategy.rollingUpdate",
		},
		"not a DaemonSet, which may have both": {
			"kind: DaemonSet\nspec: {updateStrategy: {type: OnDelete}}", `{"updateStrategy":{"type":"OnDelete"}}`, "",
		},
		"not a Deployment that is replaced step by step": {
			"kind: Deployment\nspec: {strategy: {type: RollingUpdate, rollingUpdate: null}}",
			`{"strategy":{"type":"RollingUpdate"}}`, "",
		},
		"not one without a strategy": {"kind: Deployment\nspec: {replicas: 1}", `{"replicas":1}`, ""},
		"nor one that is no mapping": {"kind: Deployment\nspec: {strategy: Recreate}", `{"strategy":"Recreate"}`, ""},
		"nor one without a spec":     {"kind: Deployment", ``, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "apiVersion: apps/v1\nmetadata: {name: single}\n" + test.given
			for object, err := range Objects(strings.NewReader(text), "all", DefaultLimits()) {
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasSuffix(string(object.JSON), test.wantJSON+"}") {
					t.Errorf("want the spec %s, got %s", test.wantJSON, object.JSON)
				}
				if got := strings.Join(RuledOut(object.Ref, object.JSON), "."); got != test.want {
					t.Errorf("want %q, got %q", test.want, got)
				}
			}
		})
	}
	if RuledOut(Ref{Group: "apps", Kind: "Deployment"}, []byte("{")) != nil {
		t.Error("want nothing ruled out by what cannot be read")
	}
}
