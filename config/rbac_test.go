package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// patience is how long a test waits for a condition.
const patience = 2 * time.Minute

// TestAManagerOfOneNamespaceMayDoWhatItMust takes the sample through its life with the
// permissions of the folder namespaced, and no others.
func TestAManagerOfOneNamespaceMayDoWhatItMust(t *testing.T) {
	t.Parallel()
	m, audit := audited(t, testenv.ManagementOptions{Controllers: true})
	team := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}}
	if err := m.Client.Create(t.Context(), team); err != nil {
		t.Fatal(err)
	}
	for _, object := range ofKind(objects(t, "namespaced"),
		"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding") {
		if err := m.Client.Create(t.Context(), &object); err != nil {
			t.Fatal(err)
		}
	}
	l := newLife(t, m, "namespaced")
	l.start()
	l.checkDiagnostics()
	l.configured()
	l.deliver()
	wantMovable(t, m, l.manager, l.namespace)
	l.upgrade()
	l.uninstall()
	l.manager.Stop()
	checkPermissions(t, audit, "namespaced")
}

// TestAManagerOfOneNamespaceMayReadNoSecretElsewhere looks at the difference that the
// binding makes.
func TestAManagerOfOneNamespaceMayReadNoSecretElsewhere(t *testing.T) {
	t.Parallel()
	for _, binding := range ofKind(objects(t, "namespaced"), "ClusterRoleBinding") {
		if role, _, _ := unstructured.NestedString(binding.Object, "roleRef", "name"); role != "caapb-diagnostics-role" {
			t.Errorf("%s binds %s in all namespaces", binding.GetName(), role)
		}
	}
	roles := ofKind(objects(t, "namespaced"), "ClusterRole")
	for _, role := range roles {
		rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
		if text := fmt.Sprint(rules); role.GetName() == "caapb-diagnostics-role" && strings.Contains(text, "secrets") {
			t.Errorf("want no Secrets in a role of all namespaces, got %s", text)
		}
	}
}
