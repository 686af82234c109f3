package capitest

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

// NewCache returns a cache as that of a manager, with its indices, that has the objects
// and needs no API server. A fake client returns copies whatever it is asked for, and
// costs something else.
func NewCache(tb testing.TB, objects ...client.Object) cache.Cache {
	tb.Helper()
	scheme, mapper := runtime.NewScheme(), meta.NewDefaultRESTMapper(nil)
	for _, add := range []func(*runtime.Scheme) error{clusterv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	for kind := range scheme.AllKnownTypes() {
		mapper.Add(kind, meta.RESTScopeNamespace)
	}
	made, err := cache.New(&rest.Config{}, cache.Options{
		Scheme: scheme, Mapper: mapper,
		NewInformer: func(
			_ toolscache.ListerWatcher, of runtime.Object, resync time.Duration, indexers toolscache.Indexers,
		) toolscache.SharedIndexInformer {
			return toolscache.NewSharedIndexInformer(listOf(scheme, of, objects), of, resync, indexers)
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	if err := capi.IndexFields(tb.Context(), made); err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	tb.Cleanup(stop)
	go func() { _ = made.Start(ctx) }() // it ends with ctx
	if !made.WaitForCacheSync(ctx) {
		tb.Fatal("the cache did not start")
	}
	for _, object := range objects { // the first one of a kind waits until the cache has them
		if _, err := made.GetInformer(ctx, object); err != nil {
			tb.Fatal(err)
		}
	}
	return made
}

// listOf lists those of the objects that are of the kind of one, and then watches in
// silence.
func listOf(scheme *runtime.Scheme, one runtime.Object, objects []client.Object) toolscache.ListerWatcher {
	kind, err := apiutil.GVKForObject(one, scheme)
	list := &metav1.List{}
	list.ResourceVersion = "1"
	for _, object := range objects {
		if of, known := apiutil.GVKForObject(object, scheme); err == nil && known == nil && of == kind {
			list.Items = append(list.Items, runtime.RawExtension{Object: object})
		}
	}
	return listed{&toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) { return list, err },
		WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			return watch.NewFake(), nil
		},
	}}
}

// listed is a ListerWatcher whose watches do not begin with what is there.
type listed struct{ *toolscache.ListWatch }

// IsWatchListSemanticsUnSupported says so to client-go.
func (listed) IsWatchListSemanticsUnSupported() bool { return true }
