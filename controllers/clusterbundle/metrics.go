package clusterbundle

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// phaseSeconds has a bounded set of labels: Bundles and the phases in them are
// written by people, Clusters are not in it.
var phaseSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
	Name:    "caapb_phase_duration_seconds",
	Help:    "Time from the first object of a phase to the phase being ready, by Bundle and phase.",
	Buckets: []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800},
}, []string{"bundle", "phase"})

func init() { metrics.Registry.MustRegister(phaseSeconds) }

// observePhases counts the phases that completed since the status before.
func observePhases(after, before *v1alpha1.ClusterBundle) {
	for _, phase := range completed(after, before) {
		phaseSeconds.WithLabelValues(after.Spec.BundleName, phase.Name).
			Observe(phase.CompletionTime.Sub(phase.StartTime.Time).Seconds())
	}
}
