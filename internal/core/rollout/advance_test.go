package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

const (
	migratePath     = "batch/v1/operator/jobs/migrate"
	certificatePath = "cert.example.org/v1/operator/certificates/tls"
)

// serveCertificates has the cluster serve a kind that the bundle does not define.
func (m *memory) serveCertificates() {
	m.extra = map[string][]metav1.APIResource{
		"cert.example.org/v1": {{Name: "certificates", Kind: "Certificate", Namespaced: true}},
	}
}

// operatorWith is the phase of the operator with further documents.
func operatorWith(documents ...string) written {
	operator := addOn()[1]
	operator.documents = append(operator.documents, documents...)
	return operator
}

func TestWhatStandsBehindWorkloadsWaitsForThemHalfAMinute(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given      []string
		givenReady bool
		givenAfter time.Duration
		want       bool // the webhook is applied
	}{
		"while they are not ready":                 {},
		"until they are":                           {givenReady: true, want: true},
		"or half a minute is over":                 {givenAfter: softGateTime, want: true},
		"and not for a Job, which may change them": {given: []string{object("batch/v1", "Job", "operator", "migrate")}, givenReady: true, want: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			cluster.workloadDelay = never
			r := remembering(cluster, releaseOf(t, "one", operatorWith(test.given...)))
			settle(t, r)
			if test.givenReady {
				cluster.objects[operatorPath].status = readyDeployment
			}
			o := settle(t, r.at(test.givenAfter))
			if got := cluster.objects[webhookPath] != nil; got != test.want {
				t.Errorf("want the webhook %t, got %t", test.want, got)
			}
			done := test.givenReady && len(test.given) == 0
			if (o.Err == nil) != done {
				t.Errorf("want the phase over %t, got %v", done, o.Err)
			}
			if job := cluster.objects[migratePath]; job != nil {
				job.status = conditions("Complete", "True", "", "")
				if o := settle(t, r); o.Err != nil {
					t.Errorf("want the phase over with the Job, got %v", o.Err)
				}
			}
		})
	}
}

func TestAnInstanceThatTheClusterServesGoesBeforeTheWorkloads(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.workloadDelay = never
	cluster.serveCertificates()
	settle(t, remembering(cluster, releaseOf(t, "one", operatorWith(object("cert.example.org/v1", "Certificate", "operator", "tls")))))
	if cluster.objects[certificatePath] == nil || cluster.objects[webhookPath] != nil {
		t.Error("want the instance there, and the webhook not yet")
	}
}

func TestAnInstanceThatCannotBeAppliedHoldsUpOnlyTheEndOfThePhase(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given      func(*memory)
		wantReason string
	}{
		"since nobody serves its kind yet": {func(*memory) {}, v1alpha1.KindNotServedReason},
		"since the webhook of its kind does not answer": {
			func(m *memory) {
				m.serveCertificates()
				m.fail = func(_ int, c call) (error, bool) {
					if c.verb == "apply" && c.path == certificatePath {
						return fault.Retry(v1alpha1.ApplyFailedReason, fmt.Errorf("Certificate operator/tls: %w", errBroken)), false
					}
					return nil, true
				}
			},
			v1alpha1.ApplyFailedReason,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			test.given(cluster)
			r := remembering(cluster, releaseOf(t, "one", operatorWith(object("cert.example.org/v1", "Certificate", "operator", "tls"))))
			o := settle(t, r)
			if cluster.objects[operatorPath] == nil || cluster.objects[webhookPath] == nil {
				t.Error("want the workload and what stands behind it applied")
			}
			if fault.ReasonOf(o.Err, "") != test.wantReason || !strings.Contains(o.Err.Error(), "Certificate operator/tls") || o.Current != 0 {
				t.Errorf("want the phase to wait for it with %s, got %v", test.wantReason, o.Err)
			}
			cluster.fail = nil
			cluster.serveCertificates()
			complete(t.Context(), t, r, time.Minute)
		})
	}
}
