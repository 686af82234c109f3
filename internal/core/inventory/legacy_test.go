package inventory

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestIsLegacy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given metav1.ManagedFieldsEntry
		want  bool
	}{
		"kubectl apply":                        {updated("kubectl-client-side-apply", `{}`), true},
		"kubectl apply --server-side":          {applied("kubectl", `{}`), true},
		"an old kubectl":                       {updated("kubectl", `{}`), true},
		"what kubectl left of an older apply":  {applied("kubectl-last-applied", `{}`), true},
		"kubectl create":                       {updated("kubectl-create", `{}`), true},
		"kubectl replace":                      {updated("kubectl-replace", `{}`), true},
		"kubectl expose":                       {updated("kubectl-expose", `{}`), true},
		"kubectl run":                          {updated("kubectl-run", `{}`), true},
		"whoever wrote before the first apply": {updated("before-first-apply", `{}`), true},
		"a ClusterResourceSet":                 {updated("manager", `{}`), true},
		"Helm 3":                               {updated("helm", `{}`), true},
		"Helm 4":                               {applied("helm", `{}`), true},

		"an operator that applies":   {applied("manager", `{}`), false},
		"kubectl edit":               {updated("kubectl-edit", `{}`), false},
		"kubectl patch":              {updated("kubectl-patch", `{}`), false},
		"kubectl label":              {updated("kubectl-label", `{}`), false},
		"kubectl rollout restart":    {updated("kubectl-rollout", `{}`), false},
		"a controller of Kubernetes": {updated("kube-controller-manager", `{}`), false},
		"the kubelet":                {updated("kubelet", `{}`), false},
		"the scheduler":              {updated("kube-scheduler", `{}`), false},
		"the API server":             {updated("kube-apiserver", `{}`), false},
		"an operator with a name":    {updated("cainjector", `{}`), false},
		"a set":                      {applied("caapb.team-a.cni", `{}`), false},
		"nobody":                     {updated("", `{}`), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := IsLegacy(test.given); got != test.want {
				t.Errorf("want %t, got %t", test.want, got)
			}
			test.given.Subresource = "status"
			if IsLegacy(test.given) {
				t.Error("its entry of a subresource counts as legacy")
			}
		})
	}
}
