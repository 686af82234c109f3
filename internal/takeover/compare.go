package takeover

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/secret"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/takeover"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

const (
	// comparedAtOnce is how many workload clusters are asked at the same time.
	comparedAtOnce = 8
	// clusterTimeout bounds what one of them may take.
	clusterTimeout = 2 * time.Minute
	// maxNamed is how many objects a line names.
	maxNamed = 10
	// maxProblem bounds an error in a line, in bytes.
	maxProblem = 300
)

// comparison is what applying would do in one workload cluster.
type comparison struct {
	cluster                   string
	objects                   int
	changed, missing, refused []string
	// problem is why nothing is known.
	problem error
}

// String returns one line about it.
func (c comparison) String() string {
	if c.problem != nil {
		return fmt.Sprintf("Cluster %s: cannot be compared: %s", c.cluster, text.Line(c.problem.Error(), maxProblem))
	}
	var parts []string
	for _, part := range []struct {
		what    string
		objects []string
	}{{"change", c.changed}, {"create", c.missing}, {"not be able to compare", c.refused}} {
		if len(part.objects) > 0 {
			parts = append(parts, part.what+" "+text.List(part.objects, maxNamed, ", "))
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("Cluster %s: nothing would change in its %d objects", c.cluster, c.objects)
	}
	return fmt.Sprintf("Cluster %s: would %s", c.cluster, strings.Join(parts, "; would "))
}

// compare asks all workload clusters, some at a time, what applying would do.
func (r *run) compare(ctx context.Context) []comparison {
	compared := make([]comparison, len(r.plan.Clusters))
	var group errgroup.Group
	group.SetLimit(comparedAtOnce)
	for i := range r.plan.Clusters {
		group.Go(func() error {
			compared[i] = r.compareCluster(ctx, &r.plan.Clusters[i])
			return nil
		})
	}
	_ = group.Wait() // Each has its own error.
	return compared
}

// compareCluster asks one workload cluster.
func (r *run) compareCluster(ctx context.Context, cluster *clusterv1.Cluster) comparison {
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	c := comparison{cluster: cluster.Name, objects: len(r.plan.Objects)}
	workload, err := r.connect(ctx, cluster)
	if c.problem = err; err != nil {
		return c
	}
	set := inventory.ParentOf(r.Namespace, r.plan.Set.Name)
	for _, object := range r.plan.Objects {
		c.add(ctx, workload, object, set)
		if c.problem = ctx.Err(); c.problem != nil {
			return c
		}
	}
	return c
}

// connect returns a client of a workload cluster.
func (r *run) connect(ctx context.Context, cluster *clusterv1.Cluster) (client.Client, error) {
	if initialized := cluster.Status.Initialization.ControlPlaneInitialized; initialized == nil || !*initialized {
		return nil, fmt.Errorf("its control plane is not initialized")
	}
	kubeconfig := &corev1.Secret{}
	if err := r.get(ctx, secret.Name(cluster.Name, secret.Kubeconfig), kubeconfig); err != nil {
		return nil, err
	}
	return r.Connect(kubeconfig.Data[secret.KubeconfigDataName])
}

// add asks what applying one object would do. The API server answers an apply that it
// does not carry out with the object as it would be.
func (c *comparison) add(ctx context.Context, workload client.Client, object takeover.Object, set inventory.Parent) {
	want, live := &unstructured.Unstructured{}, &unstructured.Unstructured{}
	name, err := object.Ref.String(), want.UnmarshalJSON(object.JSON)
	if err == nil {
		err = locate(workload, want, object)
	}
	if err == nil {
		live.SetGroupVersionKind(want.GroupVersionKind())
		err = workload.Get(ctx, client.ObjectKeyFromObject(want), live)
	}
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		c.missing = append(c.missing, name)
		return
	}
	if err == nil {
		copyMarks(live, want, set)
		err = workload.Apply(ctx, client.ApplyConfigurationFromUnstructured(want),
			client.ForceOwnership, client.FieldOwner(set.FieldManager()), client.DryRunAll)
	}
	switch {
	case err != nil:
		c.refused = append(c.refused, fmt.Sprintf("%s (%s)", name, text.Line(err.Error(), maxProblem)))
	case template(live) != nil && !equality.Semantic.DeepEqual(template(live), template(want)):
		c.changed = append(c.changed, name+" (its pods are replaced)")
	case !equality.Semantic.DeepEqual(content(live), content(want)):
		c.changed = append(c.changed, name)
	}
}

// locate gives a namespaced object that names no namespace that of its source.
func locate(workload client.Client, object *unstructured.Unstructured, as takeover.Object) error {
	namespaced, err := workload.IsObjectNamespaced(object)
	if err == nil && namespaced && object.GetNamespace() == "" {
		object.SetNamespace(as.DefaultNamespace)
	}
	return err
}

// copyMarks gives what is compared the label and the annotations that the set gives its
// objects, if it has the object already.
func copyMarks(live, want *unstructured.Unstructured, set inventory.Parent) {
	if owner, ok := live.GetLabels()[inventory.PartOfLabel]; ok {
		want.SetLabels(with(want.GetLabels(), inventory.PartOfLabel, owner))
	}
	for _, key := range []string{inventory.SHA256Annotation, set.SharedAnnotation()} {
		if sum, ok := live.GetAnnotations()[key]; ok {
			want.SetAnnotations(with(want.GetAnnotations(), key, sum))
		}
	}
}

// with returns labels or annotations with one more.
func with(all map[string]string, key, value string) map[string]string {
	if all == nil {
		all = make(map[string]string)
	}
	all[key] = value
	return all
}

// template returns the pod template of a workload, or nil.
func template(object *unstructured.Unstructured) any {
	found, _, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "template")
	return found
}

// content returns an object without what each write changes.
func content(object *unstructured.Unstructured) map[string]any {
	for _, field := range []string{"managedFields", "resourceVersion", "generation"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	return object.Object
}
