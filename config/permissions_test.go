package config

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// auditPolicy has the API server write what the manager asks for.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["system:serviceaccount:caapb-system:caapb-manager"]
- level: None
`

// seldom is what the manager needs, though not in the life of the sample.
var seldom = map[string]string{
	"patch events.k8s.io/events": "an event that repeats itself becomes a series",
	"patch events":               "so does one of leader election",
	"create secrets":             "charts with random functions",
	"list namespaces":            "a manager of one namespace looks at no other's labels",
	"watch namespaces":           "a manager of one namespace looks at no other's labels",
	"update addons.cluster.x-k8s.io/clusterbundlesets/finalizers": "OwnerReferencesPermissionEnforcement, " +
		"an admission plugin that is not enabled by default",
}

// isSeldom reports whether a permission is one of those, or the list of what is watched,
// which a server without streaming lists is asked for.
func isSeldom(permission string, used map[string]bool) bool {
	what, isList := strings.CutPrefix(permission, "list ")
	return seldom[permission] != "" || isList && used["watch "+what]
}

// audited starts a management cluster that writes what the manager asks for to a file.
func audited(t *testing.T, o testenv.ManagementOptions) (m *testenv.Management, log string) {
	t.Helper()
	dir := t.TempDir()
	policy, log := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Flags = []string{"--audit-policy-file=" + policy, "--audit-log-path=" + log}
	return testenv.NewManagement(t, o), log
}

// checkPermissions fails the test where the manager was refused what it asked for, or
// where what a folder installs allows it what it never asked for.
func checkPermissions(t *testing.T, log, folder string) {
	t.Helper()
	used := requested(t, log)
	for _, permission := range slices.Sorted(maps.Keys(granted(t, folder))) {
		if !isUsed(permission, used) && !isSeldom(permission, used) {
			t.Errorf("may %s, and never does", permission)
		}
	}
}

// isUsed reports whether a permission was used: that for all kinds of a group with one.
func isUsed(permission string, used map[string]bool) bool {
	group, isGroup := strings.CutSuffix(permission, "*")
	if !isGroup {
		return used[permission]
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(used)), func(p string) bool { return strings.HasPrefix(p, group) })
}

// requested returns the permissions that the manager used.
func requested(t *testing.T, log string) map[string]bool {
	t.Helper()
	file, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	used := make(map[string]bool)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var event struct {
			Verb, RequestURI string
			ObjectRef        struct{ Resource, Subresource, APIGroup string }
			ResponseStatus   struct{ Code int }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		if event.ResponseStatus.Code == 403 {
			t.Errorf("the manager wanted to do what it may not: %s %s", event.Verb, event.RequestURI)
		}
		object := event.ObjectRef
		used[permission(event.Verb, object.APIGroup, strings.TrimSuffix(object.Resource+"/"+object.Subresource, "/"))] = true
	}
	return used
}

// granted returns the permissions of the roles that a folder installs.
func granted(t *testing.T, folder string) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	for _, object := range ofKind(objects(t, folder), "ClusterRole", "Role") {
		var role rbacv1.ClusterRole
		object.SetKind("ClusterRole")
		convert(t, object, &role)
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all[permission(verb, rule.APIGroups[0], resource)] = true
				}
			}
		}
	}
	return all
}

func permission(verb, group, resource string) string {
	if group == "" {
		return verb + " " + resource
	}
	return fmt.Sprintf("%s %s/%s", verb, group, resource)
}
