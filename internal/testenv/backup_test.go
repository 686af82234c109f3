package testenv

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestAnAPIServerIsRestoredFromABackup(t *testing.T) {
	t.Parallel()
	w := NewWorkload(t, WorkloadOptions{})
	before := NewNamespace(t, w.APIServer)
	backup, err := w.Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after := NewNamespace(t, w.APIServer)
	// A backup may be restored more than once.
	for range 2 {
		if err := w.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: before}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Restore(t.Context(), backup); err != nil {
			t.Fatal(err)
		}
		restored := &corev1.Namespace{}
		if err := w.Client.Get(t.Context(), client.ObjectKey{Name: before}, restored); err != nil || !restored.DeletionTimestamp.IsZero() {
			t.Errorf("want %s as it was, got %v, %v", before, restored, err)
		}
		if err := w.Client.Get(t.Context(), client.ObjectKey{Name: after}, restored); !apierrors.IsNotFound(err) {
			t.Errorf("want no %s, got %v", after, err)
		}
	}
}
