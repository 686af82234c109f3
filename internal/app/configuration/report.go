package configuration

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

const (
	// ConditionType is that of the condition of the manager's Pod.
	ConditionType corev1.PodConditionType = "addons.cluster.x-k8s.io/ConfigurationValid"
	// ValidReason is its reason while the file holds, and that of an event about the Pod.
	ValidReason = "ConfigurationValid"
	// InvalidReason is its reason while the file is wrong, and that of an event.
	InvalidReason = "ConfigurationInvalid"
)

var (
	validity = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "caapb_configuration_valid",
		Help: "1 while the configuration file holds, 0 while it is wrong and the one before it holds.",
	})
	loaded = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "caapb_configuration_loaded_timestamp_seconds",
		Help: "When the configuration that holds was read, in seconds since 1970.",
	})
)

func init() { metrics.Registry.MustRegister(validity, loaded) }

// Reporter reports on the file: by metrics, and on the Pod that the manager runs in.
type Reporter struct {
	// Pod has the name, the namespace and the UID of the manager's Pod. Without a name there
	// is none, and nothing is reported on it.
	Pod corev1.ObjectReference
	// Client writes the status of the Pod.
	Client client.Client
	// Events records events.
	Events events.EventRecorder
	// Now is the clock.
	Now func() time.Time

	wasWrong bool
}

// Report reports why the file does not hold, or that it holds where problem is nil.
func (r *Reporter) Report(ctx context.Context, problem error) error {
	r.measure(problem)
	if r.Pod.Name == "" {
		return nil
	}
	condition := r.condition(problem)
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.PodCondition{condition}}})
	if err != nil {
		return err
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: r.Pod.Namespace, Name: r.Pod.Name}}
	if err := r.Client.Status().Patch(ctx, pod, client.RawPatch(types.StrategicMergePatchType, patch)); err != nil {
		return fmt.Errorf("pod %s: %w", r.Pod.Name, err)
	}
	if problem != nil {
		r.event(corev1.EventTypeWarning, condition)
	} else if r.wasWrong {
		r.event(corev1.EventTypeNormal, condition)
	}
	r.wasWrong = problem != nil
	return nil
}

func (r *Reporter) measure(problem error) {
	if problem != nil {
		validity.Set(0)
		return
	}
	validity.Set(1)
	loaded.Set(float64(r.Now().Unix()))
}

func (r *Reporter) condition(problem error) corev1.PodCondition {
	condition := corev1.PodCondition{
		Type: ConditionType, Status: corev1.ConditionTrue, Reason: ValidReason,
		Message:            "the file holds", // one that is left out would be that of before
		LastTransitionTime: metav1.Time{Time: r.Now()},
	}
	if problem != nil {
		condition.Status, condition.Reason = corev1.ConditionFalse, InvalidReason
		condition.Message = text.Line("the one before still holds: "+problem.Error(), maxMessage)
	}
	return condition
}

func (r *Reporter) event(kind string, condition corev1.PodCondition) {
	pod := r.Pod
	pod.APIVersion, pod.Kind = "v1", "Pod"
	status.Record(r.Events, &pod, kind, condition.Reason, "the configuration: "+condition.Message)
}
