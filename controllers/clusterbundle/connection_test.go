package clusterbundle

import (
	"testing"
)

func TestUsableKubeconfig(t *testing.T) {
	t.Parallel()
	const good = `
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: a, user: {token: secret}}]
`
	tests := map[string]struct {
		given string
		want  bool
	}{
		"a kubeconfig":             {good, true},
		"nothing":                  {"", false},
		"no YAML":                  {"{", false},
		"a context that is absent": {"apiVersion: v1\nkind: Config\ncurrent-context: b\n", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := isKubeconfig([]byte(test.given)); got != test.want {
				t.Errorf("want %t, got %t", test.want, got)
			}
		})
	}
}
