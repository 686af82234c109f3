package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	ctrl.SetLogger(logr.Discard())
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	keep := os.Getenv("KEEP")
	err := demo(ctx, os.Stdout, keep != "" && keep != "0")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo runs the demo and stops what it started.
func demo(ctx context.Context, out io.Writer, keep bool) error {
	w := &world{out: out, started: time.Now()}
	defer w.stop()
	if err := w.show(ctx); err != nil {
		if !errors.Is(err, errInterrupted) {
			w.printLog()
		}
		return err
	}
	if keep {
		w.keepUntilInterrupted(ctx)
	}
	w.stop()
	w.say("everything that the demo started is stopped")
	return nil
}

// show goes through the steps. Each of them is bounded.
func (w *world) show(ctx context.Context) error {
	for _, s := range []step{
		{"chooses the bundle", chooseTime, w.chooseBundle},
		{"starts a management cluster and two workload clusters", stepTime, w.startClusters},
		{"starts Cluster API's core controllers", stepTime, w.startCAPI},
		{"makes the Clusters berlin and oslo, without a label", stepTime, w.addClusters},
		{"builds and starts the manager", buildTime, w.startManager},
		{"applies the Bundle", stepTime, w.applyBundle},
		{"applies a ClusterBundleSet for cni=calico", stepTime, w.applySet},
		{"labels the Cluster berlin", stepTime, w.labelFirst},
		{"labels the Cluster oslo", stepTime, w.labelSecond},
		{"prints what kubectl get shows", stepTime, w.printViews},
		{"sums up", stepTime, w.printSummary},
	} {
		if err := w.do(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
