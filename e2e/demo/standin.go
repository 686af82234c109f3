package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// reporter is the field manager of what the demo writes in the operator's place.
const reporter = "demo"

// standIn does what the operator would do, once everything is applied and only
// its report is missing: it makes that object and reports Available.
func (w *world) standIn(ctx context.Context, m *member, b *v1alpha1.ClusterBundle, labelled time.Time) error {
	awaited := w.bundle.awaited()
	if awaited == nil || m.reported || !lastPhaseWaits(b) {
		return nil
	}
	if err := applyReport(ctx, m.workload.Client, *awaited); err != nil {
		return fmt.Errorf("%s of %s: %w", awaited.Kind, m.name, err)
	}
	m.reported = true
	fmt.Fprintf(w.out, "  %6.2fs  %-8s (the demo sets %s %s Available in the operator's place, and Ready waits for it:\n"+
		"                    no operator image runs on simulated nodes)\n",
		time.Since(labelled).Seconds(), m.name, awaited.Kind, awaited.Name)
	return nil
}

// applyReport applies the object and then its status. It does not create it: an
// API server delays the creation of objects of a new kind by two seconds.
func applyReport(ctx context.Context, c client.Client, reference v1alpha1.ObjectReference) error {
	object := report(reference)
	object.Object["spec"] = map[string]any{}
	owner := client.FieldOwner(reporter)
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), owner); err != nil {
		return err
	}
	status := report(reference)
	status.Object["status"] = map[string]any{"conditions": []any{map[string]any{
		"type": "Available", "status": "True", "lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	}}}
	return c.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(status), owner)
}

func lastPhaseWaits(b *v1alpha1.ClusterBundle) bool {
	n := len(b.Status.Phases)
	return n > 0 && b.Status.Phases[n-1].State == v1alpha1.WaitingPhaseState
}

// report returns the object that the reference names.
func report(reference v1alpha1.ObjectReference) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(reference.APIVersion)
	u.SetKind(reference.Kind)
	u.SetNamespace(reference.Namespace)
	u.SetName(reference.Name)
	return u
}
