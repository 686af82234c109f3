package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAHookIsMarkedByWhoRendersTheChart(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given    string
		want     *Hook
		wantJSON string
	}{
		"with the mark, which is not applied": {
			given: `{helm.sh/hook: post-upgrade, addons.cluster.x-k8s.io/hook: '{"upgrade":"After","weight":-5,"temporary":true}'}`,
			want:  &Hook{Upgrade: After, Weight: -5, Temporary: true}, wantJSON: `{"helm.sh/hook":"post-upgrade"}`,
		},
		"not by the annotation that Helm reads": {
			given: `{helm.sh/hook: pre-install}`, wantJSON: `{"helm.sh/hook":"pre-install"}`,
		},
		"not by a mark that is none": {
			given: `{addons.cluster.x-k8s.io/hook: fish}`, wantJSON: `{"addons.cluster.x-k8s.io/hook":"fish"}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: " + test.given + "}\n"
			index, err := Build(&strings.Builder{}, Objects(strings.NewReader(given), "a.yaml", DefaultLimits()))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, index.Entries[0].Hook); diff != "" {
				t.Errorf("hook (-want +got):\n%s", diff)
			}
			for object := range Objects(strings.NewReader(given), "a.yaml", DefaultLimits()) {
				if !strings.Contains(string(object.JSON), `"annotations":`+test.wantJSON) {
					t.Errorf("want the annotations %s, got %s", test.wantJSON, object.JSON)
				}
			}
		})
	}
}
