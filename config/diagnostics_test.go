package config

import (
	"crypto/tls"
	"net/http"
	"strings"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checkDiagnostics asks the manager for metrics and profiles without a login, as a
// ServiceAccount, and as one that may have them.
func (l *life) checkDiagnostics() {
	l.t.Helper()
	g := NewWithT(l.t)
	token := l.strangersToken()
	g.Eventually(func() int { return l.diagnostics("", "/metrics") }).WithTimeout(patience).Should(Equal(http.StatusUnauthorized))
	g.Expect(l.diagnostics(token, "/metrics")).To(Equal(http.StatusForbidden))

	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "reads-diagnostics"},
		Rules:      []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/metrics", "/debug/pprof/*"}}},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: l.namespace, Name: "stranger"}},
	}
	g.Expect(l.management.Client.Create(l.t.Context(), role)).To(Succeed())
	g.Expect(l.management.Client.Create(l.t.Context(), binding)).To(Succeed())
	// The manager remembers a refusal for some seconds.
	for _, path := range []string{"/metrics", "/debug/pprof/cmdline"} {
		g.Eventually(func() int { return l.diagnostics(token, path) }).WithTimeout(patience).Should(Equal(http.StatusOK), path)
	}
}

// strangersToken returns the token of a ServiceAccount that may do nothing.
func (l *life) strangersToken() string {
	l.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: "stranger"}}
	if err := l.management.Client.Create(l.t.Context(), account); err != nil {
		l.t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{}
	if err := l.management.Client.SubResource("token").Create(l.t.Context(), account, request); err != nil {
		l.t.Fatal(err)
	}
	return request.Status.Token
}

// diagnostics returns the status of the manager's answer, 0 while it does not serve yet.
func (l *life) diagnostics(token, path string) int {
	l.t.Helper()
	url := strings.TrimSuffix(strings.Replace(l.manager.MetricsURL(), "http:", "https:", 1), "/metrics") + path
	request, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		l.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// Its certificate is one that it made for itself.
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer c.CloseIdleConnections()
	response, err := c.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}
