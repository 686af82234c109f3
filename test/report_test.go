package test

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// maxLines is how much of the manager's log is reported.
const maxLines = 200

// reportFailure logs, if the test failed, what its namespace has, and what the manager
// logged about it. The manager is that of many tests.
func (s *scenario) reportFailure() {
	if !s.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 10*time.Second)
	defer cancel()
	for _, list := range []client.ObjectList{
		&clusterv1.ClusterList{}, &v1alpha1.BundleList{}, &v1alpha1.ClusterBundleSetList{}, &v1alpha1.ClusterBundleList{},
		&corev1.EventList{},
	} {
		if err := s.management.Client.List(ctx, list, client.InNamespace(s.namespace), client.Limit(20)); err != nil {
			s.t.Logf("listing %T: %v", list, err)
			continue
		}
		text, err := yaml.Marshal(list)
		s.t.Logf("%T: %s (%v)", list, text, err)
	}
	var lines []string
	for line := range strings.Lines(s.manager.Log()) {
		if strings.Contains(line, s.namespace) {
			lines = append(lines, line)
		}
	}
	s.t.Logf("the manager logged about it at last:\n%s", strings.Join(lines[max(0, len(lines)-maxLines):], ""))
}
