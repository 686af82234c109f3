package main

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestWritesOfWhatDidNotChangeAreCounted(t *testing.T) {
	t.Parallel()
	before := []*Object{objectOf("ConfigMap", "same", "1"), objectOf("ConfigMap", "changed", "1")}
	after := []*Object{before[0], objectOf("ConfigMap", "changed", "2")}
	requests := []testenv.Request{
		{Verb: "get", Path: "/version"},
		{Verb: "patch", Resource: "configmaps", Path: "/api/v1/configmaps/same", Status: 200},
		{Verb: "patch", Resource: "configmaps", Path: "/api/v1/configmaps/changed", Status: 409},
		{Verb: "list", Resource: "configmaps", Path: "/api/v1/configmaps", Status: 200},
		{Verb: "get", Resource: "configmaps", Path: "/api/v1/configmaps/changed", Status: 200},
		{Verb: "watch", Resource: "configmaps", Path: "/api/v1/configmaps"},
		{Verb: "watch", Group: "apps", Resource: "deployments", Path: "/apis/apps/v1/deployments"},
	}
	got := trafficOf(requests, unchangedPaths(before, after))
	if want := (traffic{requests: 7, writes: 2, refused: 1, needless: 1, reads: 2, mostRead: "configmaps", watches: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestObjectsHaveTheirPlaceInTheAPI(t *testing.T) {
	t.Parallel()
	crd := objectOf(definitionKind, "gateways.example.com", "")
	crd.SetAPIVersion("apiextensions.k8s.io/v1")
	crd.Object["spec"] = map[string]any{
		"group": "example.com", "names": map[string]any{"kind": "Gateway", "plural": "gatewayses"},
		"versions": []any{map[string]any{"name": "v1", "served": true}, map[string]any{"name": "v0", "served": false}},
	}
	gateway, account := objectOf("Gateway", "a", ""), objectOf("ServiceAccount", "b", "")
	gateway.SetAPIVersion("example.com/v1")
	account.SetNamespace("c")
	objects := []*Object{crd, gateway, account}
	k := kindsOf(objects)
	for want, o := range map[string]*Object{
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.example.com": crd,
		"/apis/example.com/v1/gatewayses/a":                                            gateway,
		"/api/v1/namespaces/c/serviceaccounts/b":                                       account,
	} {
		if got := k.path(o); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := served(objects); len(got) != 1 {
		t.Errorf("%v are served", got)
	}
}
