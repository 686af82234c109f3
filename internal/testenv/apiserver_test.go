package testenv

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestUsersMayDoWhatRBACAllows(t *testing.T) {
	t.Parallel()
	w := SharedWorkload(t)
	ann, err := w.ConfigFor("ann", "readers")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(ann, client.Options{Scheme: Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	err = c.List(t.Context(), &corev1.SecretList{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("got %v, want forbidden", err)
	}
	checkError(t, err, []string{`User "ann"`})
}

func TestNamespacesAreUnique(t *testing.T) {
	t.Parallel()
	w := SharedWorkload(t)
	one, two := NewNamespace(t, w.APIServer), NewNamespace(t, w.APIServer)
	if one == two {
		t.Errorf("both are %s", one)
	}
	_, err := w.NewNamespace(t.Context(), "Not A Name")
	checkError(t, err, []string{"Not A Name"})
}

func TestAPIServerGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	w := NewWorkload(t, WorkloadOptions{})
	ns := NewNamespace(t, w.APIServer)
	watch, err := w.Client.Watch(t.Context(), &corev1.NamespaceList{})
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, w.StartAPIServer(t.Context()), []string{"is running"})

	w.StopAPIServer()
	w.StopAPIServer()
	if err := w.Client.List(t.Context(), &corev1.NamespaceList{}); err == nil {
		t.Error("a stopped server answers")
	}
	drain(t, watch.ResultChan())

	if err := w.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Client.Get(t.Context(), client.ObjectKey{Name: ns}, &corev1.Namespace{}); err != nil {
		t.Errorf("the same client does not find the same object: %v", err)
	}

	w.Stop()
	w.Stop()
	if _, err := os.Stat(w.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder remains: %v", err)
	}
}

// drain waits until the channel is closed.
func drain[T any](t *testing.T, events <-chan T) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case _, open := <-events:
			if !open {
				return
			}
		case <-late:
			t.Fatal("the watch is not cut")
		}
	}
}

func TestAPIServerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	_, err := StartWorkload(t.Context(), WorkloadOptions{Flags: []string{"--no-such-flag"}})
	checkError(t, err, []string{"workload cluster", "kube-apiserver", "ended by itself", "no-such-flag"})
}

func TestStartHeedsTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := StartWorkload(ctx, WorkloadOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestKubeconfigFileIsTheAdministrators(t *testing.T) {
	t.Parallel()
	w := SharedWorkload(t)
	config, err := clientcmd.BuildConfigFromFlags("", w.KubeconfigPath())
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKey{Name: metav1.NamespaceSystem}
	if err := c.Get(t.Context(), key, &corev1.Namespace{}); err != nil {
		t.Error(err)
	}
	st, err := os.Stat(w.KubeconfigPath())
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", st, err)
	}
}
