package validation

import (
	"cmp"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/applyconfigurations"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
)

// kubernetes is the version that the schemas are of: that of client-go.
const kubernetes = "v1.36"

// builtIn returns the schemas of the built-in kinds. They are parsed, which takes 60 ms,
// when the first object is compared with them.
var builtIn = sync.OnceValue(func() *smd.Schema {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		panic(fmt.Sprintf("the types of client-go cannot be registered: %v", err))
	}
	// A typed object leads to the schemas of all kinds.
	namespace := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
	typed, err := applyconfigurations.NewTypeConverter(scheme).ObjectToTyped(namespace)
	if err != nil {
		panic(fmt.Sprintf("the schemas of client-go have no Namespace: %v", err))
	}
	return typed.Schema()
})

// typeOf returns the type of a built-in kind. It is false for one without a schema.
func typeOf(kind schema.GroupVersionKind) (smd.TypeRef, bool) {
	first, _, _ := strings.Cut(kind.Group, ".")
	name := strings.Join([]string{"io.k8s.api", cmp.Or(first, "core"), kind.Version, kind.Kind}, ".")
	ref := smd.TypeRef{NamedType: &name}
	_, known := builtIn().Resolve(ref)
	return ref, known
}
