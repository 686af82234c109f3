package app

import "testing"

func TestBundlesOfOtherNamespacesAreForManagersThatSeeThem(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		namespace, gates string
		want             bool
	}{
		"all namespaces":         {want: false},
		"one namespace":          {namespace: "team-a", want: true},
		"the feature turned off": {gates: "CrossNamespaceBundles=false", want: true},
	} {
		opts := DefaultOptions()
		opts.Manager.Namespace = test.namespace
		if err := opts.Features.Set(test.gates); err != nil {
			t.Fatal(err)
		}
		if got := opts.ownBundlesOnly(); got != test.want {
			t.Errorf("%s: want %t, got %t", what, test.want, got)
		}
	}
}
