package simulator

import "fmt"

func configMap(name, value string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"NS","labels":{"part":"a"}},"data":{"key":%q}}`, name, value)
}

const maps1 = "/api/v1/namespaces/NS/configmaps"

// cases are requests of which a simulated and a real API server must say the same.
var cases = map[string][]call{
	"an apply": {
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, asMetadata, configMap("a", "1")},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "2")},
		{"GET", maps1 + "/a", "", "", ""},
		{"GET", maps1 + "/a", "", asMetadata, ""},
	},
	"an apply in YAML": {
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NS}\ndata: {key: \"1\"}\n"},
	},
	"a conflict": {
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")},
		{"PATCH", maps1 + "/a?fieldManager=two", applyJSON, "", configMap("a", "2")},
		{"PATCH", maps1 + "/a?fieldManager=two&force=true", applyJSON, "", configMap("a", "2")},
		{"PATCH", maps1 + "/a?fieldManager=two", applyJSON, "", configMap("a", "2")},
		{"PATCH", maps1 + "/a?fieldManager=one&force=true", applyJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","uid":"UID"}}`},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","uid":"another"}}`},
		{"PATCH", maps1 + "/b?fieldManager=one", applyJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b","uid":"UID"}}`},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"1"}}`},
	},
	"a bad apply": {
		{"PATCH", maps1 + "/a", applyJSON, "", configMap("a", "1")},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", `{`},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", `{"kind":"ConfigMap","metadata":{"name":"a"}}`},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}`},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("b", "1")},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default"}}`},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"unknown":1}`},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","managedFields":[]}}`},
		{"PATCH", "/api/v1/namespaces/nowhere/configmaps/a?fieldManager=one", applyJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}`},
	},
	"creations": {
		{"POST", maps1, contentJSON, "", configMap("a", "1")},
		{"POST", maps1, contentJSON, "", configMap("a", "1")},
		{"POST", maps1 + "?fieldManager=one", contentJSON, asMetadata, configMap("b", "1")},
		{"POST", maps1, contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","resourceVersion":"5"}}`},
		{"POST", maps1, contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"default"}}`},
		{"POST", maps1, contentJSON, "", `{`},
		{"POST", "/api/v1/namespaces/nowhere/configmaps", contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`},
	},
	"updates": {
		{"POST", maps1 + "?fieldManager=one", contentJSON, "", configMap("a", "1")},
		{"PUT", maps1 + "/a?fieldManager=two", contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"RV"},"data":{"key":"2"}}`},
		{"PUT", maps1 + "/a?fieldManager=two", contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"1"},"data":{"key":"3"}}`},
		{"PUT", maps1 + "/a?fieldManager=two", contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"key":"4"}}`},
		{"PUT", maps1 + "/a?fieldManager=two", contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","uid":"another"},"data":{"key":"5"}}`},
		{"PUT", maps1 + "/none", contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"none","resourceVersion":"RV"}}`},
	},
	"patches": {
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")},
		{"PATCH", maps1 + "/a?fieldManager=two", mergeJSON, "", `{"data":{"more":"2"},"metadata":{"uid":"UID","resourceVersion":"RV"}}`},
		{"PATCH", maps1 + "/a?fieldManager=two", mergeJSON, "", `{"data":{"more":"3"},"metadata":{"resourceVersion":"1"}}`},
		{"PATCH", maps1 + "/a?fieldManager=two", mergeJSON, "", `{"data":{"more":"2"}}`},
		{"PATCH", maps1 + "/a?fieldManager=two", mergeJSON, "", `{"data":{"key":null}}`},
		{"PATCH", maps1 + "/a?fieldManager=two", strategic, "", `{"data":{"key":"5"}}`},
		{"PATCH", maps1 + "/a?fieldManager=two", patchJSON, "", `[{"op":"add","path":"/data/key","value":"6"},{"op":"replace","path":"/metadata/resourceVersion","value":"RV"}]`},
		{"PATCH", maps1 + "/a?fieldManager=two", patchJSON, "", `[{"op":"replace","path":"/metadata/resourceVersion","value":"1"}]`},
		{"PATCH", maps1 + "/a?fieldManager=two", patchJSON, "", `[{"op":"add","path":"/metadata/managedFields","value":[{"manager":"one","operation":"Apply","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:more":{}}}}]}]`},
		{"PATCH", maps1 + "/a?fieldManager=two", mergeJSON, "", `{`},
		{"PATCH", maps1 + "/none", mergeJSON, "", `{"data":{"more":"2"}}`},
		{"PATCH", maps1 + "/a", "text/plain", "", `{}`},
	},
	"deletions": {
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")},
		{"DELETE", maps1 + "/a", contentJSON, "", `{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"another"}}`},
		{"DELETE", maps1 + "/a", contentJSON, "", `{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"resourceVersion":"1"}}`},
		{"DELETE", maps1 + "/a", contentJSON, asMetadata, `{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background","preconditions":{"uid":"UID","resourceVersion":"RV"}}`},
		{"GET", maps1 + "/a", "", "", ""},
		{"DELETE", maps1 + "/a", contentJSON, "", ""},
	},
	"finalizers": {
		{"POST", maps1, contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","finalizers":["example.com/wait"]}}`},
		{"DELETE", maps1 + "/a", contentJSON, asMetadata, ""},
		{"DELETE", maps1 + "/a", contentJSON, asMetadata, ""},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")},
		{"PATCH", maps1 + "/a", mergeJSON, "", `{"metadata":{"finalizers":null}}`},
		{"GET", maps1 + "/a", "", "", ""},
	},
	"lists": {
		{"PATCH", maps1 + "/b?fieldManager=one", applyJSON, "", configMap("b", "1")},
		{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")},
		{"POST", maps1, contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`},
		{"GET", maps1, "", "", ""},
		{"GET", maps1, "", asMetaList, ""},
		{"GET", maps1 + "?labelSelector=part%3Da", "", asMetaList, ""},
		{"GET", maps1 + "?labelSelector=part!%3Da", "", asMetaList, ""},
		{"GET", maps1 + "?labelSelector=part", "", asMetaList, ""},
		{"GET", maps1 + "?fieldSelector=metadata.name%3Db", "", asMetaList, ""},
		{"GET", maps1 + "?fieldSelector=metadata.uid%3Db", "", asMetaList, ""},
		{"GET", maps1 + "?labelSelector=-", "", asMetaList, ""},
		{"GET", maps1 + "?limit=2", "", asMetaList, ""},
		{"GET", maps1 + "?continue=nonsense", "", asMetaList, ""},
		{"DELETE", maps1 + "?labelSelector=part%3Da", "", "", ""},
		{"GET", maps1, "", asMetaList, ""},
	},
	"what is not there": {
		{"GET", "/nowhere", "", "", ""},
		{"GET", "/apis/none.example.com", "", "", ""},
		{"GET", "/apis/none.example.com/v1", "", "", ""},
		{"GET", "/apis/none.example.com/v1/things", "", "", ""},
		{"GET", "/apis/apps/v2/deployments", "", "", ""},
		{"GET", "/apis/apps/v1/nothings", "", "", ""},
		{"PATCH", "/apis/none.example.com/v1/things/a?fieldManager=one", applyJSON, "", `{"apiVersion":"none.example.com/v1","kind":"Thing","metadata":{"name":"a"}}`},
		{"GET", "/api/v1/namespaces/nowhere/configmaps", "", asMetaList, ""},
		{"GET", "/api/v1/namespaces/nowhere/configmaps/a", "", "", ""},
		{"POST", maps1 + "/a", contentJSON, "", configMap("a", "1")},
		{"PUT", maps1, contentJSON, "", configMap("a", "1")},
	},
	"discovery": {
		{"GET", "/api", "", asAggregated, ""},
		{"GET", "/apis/apps", "", "", ""},
	},
}

const bookshop = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"shops.NS.example.com"},
"spec":{"group":"NS.example.com","scope":"Namespaced","names":{"kind":"Shop","listKind":"ShopList","plural":"shops","singular":"shop","shortNames":["sh"]},
"versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object","properties":{
"spec":{"type":"object","properties":{"name":{"type":"string"},"books":{"type":"array","items":{"type":"string"}},
"shelves":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],"items":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"size":{"type":"integer"}}}}}},
"status":{"type":"object","properties":{"open":{"type":"boolean"}}}}}}},
{"name":"v1beta1","served":true,"storage":false,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`

// customCases are cases behind the definition of bookshops.
var customCases = []call{
	{"GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/shops.NS.example.com", "", asMetadata, ""},
	{"GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/shops.NS.example.com", "", "", ""},
	{"PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/shops.NS.example.com?fieldManager=one", applyJSON, asMetadata, bookshop},
	{"GET", "/apis/NS.example.com", "", "", ""},
	{"GET", "/apis/NS.example.com/v1", "", "", ""},
	{"GET", "/apis/NS.example.com/v1beta1", "", "", ""},
	{"GET", "/apis/NS.example.com/v2", "", "", ""},
	{"GET", "/apis/NS.example.com/v1/nothings", "", "", ""},
	{"GET", "/apis/NS.example.com/v1/shops", "", "", ""},
	{"GET", shops + "/a", "", "", ""},
	{"PATCH", shops + "/a?fieldManager=one", applyJSON, "", `{"apiVersion":"NS.example.com/v1","kind":"Shop","metadata":{"name":"a"},"spec":{"name":"x","shelves":[{"name":"left","size":1}]},"status":{"open":true}}`},
	{"PATCH", shops + "/a?fieldManager=two", applyJSON, asMetadata, `{"apiVersion":"NS.example.com/v1","kind":"Shop","metadata":{"name":"a"},"spec":{"shelves":[{"name":"right","size":2}]}}`},
	{"PATCH", shops + "/a?fieldManager=two", applyJSON, "", `{"apiVersion":"NS.example.com/v1","kind":"Shop","metadata":{"name":"a"},"spec":{"name":"y"}}`},
	{"PATCH", shops + "/a?fieldManager=two", applyJSON, "", `{"apiVersion":"NS.example.com/v1","kind":"Shop","metadata":{"name":"a"},"spec":{"unknown":"y"}}`},
	{"PATCH", shops + "/a/status?fieldManager=three", mergeJSON, "", `{"spec":{"name":"z"},"status":{"open":false}}`},
	{"PATCH", shops + "/a", mergeJSON, asMetadata, `{"status":{"open":true}}`},
	{"PATCH", shops + "/a", mergeJSON, asMetadata, `{"spec":{"name":"w"}}`},
	{"PATCH", shops + "/a", strategic, "", `{"spec":{"name":"w"}}`},
	{"GET", shops, "", "", ""},
	{"GET", shops, "", asMetaList, ""},
	{"GET", "/apis/NS.example.com/v1beta1/namespaces/NS/shops/a", "", asMetadata, ""},
	{"DELETE", shops + "/a", contentJSON, asMetadata, ""},
	{"GET", shops + "/a", "", "", ""},
}

const shops = "/apis/NS.example.com/v1/namespaces/NS/shops"
