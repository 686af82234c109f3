package placement

import (
	"context"
	"errors"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// choose puts into a ClusterBundle the release that its placement gets, with the
// version of Kubernetes that it was chosen by: the digest of a chart depends on that.
// Where none can be chosen, those of before stay. It returns for people what changed.
func (r *Reconciler) choose(
	ctx context.Context, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster, cb *v1alpha1.ClusterBundle,
) (change string, err error) {
	bundle, err := r.Bundles.Get(ctx, capi.BundleOfSet(set), set.Namespace)
	if err != nil {
		return "", err
	}
	kubernetes, unknown := r.Versions.Version(ctx, client.ObjectKeyFromObject(cluster), cb.Spec.Kubernetes)
	if unknown != nil && fault.ClassOf(unknown) != fault.ClassWait {
		return "", unknown
	}
	q := release.QueryOf(set, cb, kubernetes.Version, unknown)
	q.Bundle = bundle.Spec
	chosen, err := r.Library.Select(bundle, q)
	if err != nil {
		return "", comeBack(err, kubernetes.Again)
	}
	if q.Ready && chosen.ReleaseReference != q.Pinned {
		cb.Spec.Previous = &q.Pinned
	}
	cb.Spec.Version, cb.Spec.Digest, cb.Spec.Failed = chosen.Version, chosen.Digest, chosen.Failed
	if cb.Spec.KubernetesUpgrade != nil {
		cb.Spec.KubernetesUpgrade.Admitted = &chosen.AdmitsWanted
	}
	// A change for nothing would lead to a pass over every Cluster.
	if cb.Spec.Kubernetes != "" || release.AnyNeedsKubernetes(bundle.Spec.Releases) || patch.NeedKubernetes(set.Spec.Patches) {
		cb.Spec.Kubernetes = kubernetes.Version
	}
	return q.Change(chosen), comeBack(nil, kubernetes.Again)
}

// errSettling is the error of a placement that has the release to have by a version
// of Kubernetes that may be about to change.
var errSettling = errors.New("the workload cluster answers with another version of Kubernetes than before")

// comeBack returns an error with which the placement is looked at again after the
// given time at the latest, unless it is retried anyway; err itself if that is 0.
func comeBack(err error, after time.Duration) error {
	switch {
	case after == 0:
		return err
	case err == nil:
		return fault.Wait(v1alpha1.VersionNotChosenReason, after, errSettling)
	case fault.ClassOf(err) == fault.ClassRetry:
		return err
	}
	if known := fault.AfterOf(err); known > 0 {
		after = min(after, known)
	}
	return &fault.Error{
		Class: fault.ClassOf(err), Reason: fault.ReasonOf(err, v1alpha1.InternalErrorReason), After: after, Err: err,
	}
}

// forget removes what a ClusterBundle knows of its Cluster.
func forget(cb *v1alpha1.ClusterBundle) {
	cb.Spec.Version, cb.Spec.Digest, cb.Spec.Kubernetes = "", "", ""
	cb.Spec.Previous, cb.Spec.Failed, cb.Spec.KubernetesUpgrade = nil, nil, nil
}

// isOfAnother reports whether a ClusterBundle was made for another Cluster of the same
// name, of which nothing holds for this one.
func isOfAnother(cb *v1alpha1.ClusterBundle, cluster *clusterv1.Cluster) bool {
	for _, owner := range cb.OwnerReferences {
		if isCluster(owner) && owner.UID != cluster.UID {
			return true
		}
	}
	return false
}

func isCluster(owner metav1.OwnerReference) bool {
	return owner.Kind == clusterv1.ClusterKind && strings.HasPrefix(owner.APIVersion, clusterv1.GroupVersion.Group+"/")
}
