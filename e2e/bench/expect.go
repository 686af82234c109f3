package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// workloads are the kinds of what an operator runs as.
var workloads = []string{deploymentKind, "DaemonSet", "StatefulSet", "Job", "CronJob"}

func partOf(o *Object) part {
	switch {
	case o.IsDefinition():
		return definitionPart
	case slices.Contains(workloads, o.GetKind()):
		return operatorPart
	default:
		return otherPart
	}
}

// installed expects every object, and of CRDs that they are Established.
func installed(objects []*Object) map[string]expectation {
	pending := map[string]expectation{}
	for _, o := range objects {
		pending[o.Key()] = expectation{partOf(o), func(s state) bool {
			return s.isThere() && (s.established || !o.IsDefinition())
		}}
	}
	return pending
}

// upgraded expects each object that is not in before as it is to be written: what changes
// nothing in an API server is no write.
func upgraded(before, after []*Object, now func(key string) state) map[string]expectation {
	old := map[string][]byte{}
	for _, o := range before {
		old[o.Key()] = o.Compact
	}
	changed := slices.DeleteFunc(slices.Clone(after), func(o *Object) bool { return bytes.Equal(o.Compact, old[o.Key()]) })
	pending := installed(changed)
	for key, want := range pending {
		written, there := now(key).version, want.met
		want.met = func(s state) bool { return there(s) && s.version != written }
		pending[key] = want
	}
	return pending
}

// damage is what somebody does to what was installed: another image in the first Deployment,
// and the first ServiceAccount gone.
type damage struct{ changed, deleted *Object }

func newDamage(objects []*Object) (damage, error) {
	var d damage
	for _, o := range objects {
		switch {
		case o.GetKind() == deploymentKind && d.changed == nil:
			d.changed = o
		case o.GetKind() == "ServiceAccount" && d.deleted == nil:
			d.deleted = o
		}
	}
	if d.changed == nil || d.deleted == nil {
		return damage{}, fmt.Errorf("no Deployment or no ServiceAccount to damage")
	}
	return d, nil
}

// repaired expects both as they were. It is asked for before do: somebody may be quick.
func (d damage) repaired(now func(key string) state) map[string]expectation {
	changed, deleted := now(d.changed.Key()), now(d.deleted.Key())
	return map[string]expectation{
		d.changed.Key(): {operatorPart, func(s state) bool { return s.generation >= changed.generation+2 }},
		d.deleted.Key(): {otherPart, func(s state) bool { return s.isThere() && s.uid != deleted.uid }},
	}
}

// wrongImage is a change that anybody notices who compares.
const wrongImage = `[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "example.com/wrong:1"}]`

func (d damage) do(ctx context.Context, c client.Client) error {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: d.changed.GetNamespace(), Name: d.changed.GetName(),
	}}
	patch := client.RawPatch(types.JSONPatchType, []byte(wrongImage))
	if err := c.Patch(ctx, deployment, patch, client.FieldOwner("somebody")); err != nil {
		return fmt.Errorf("damage: %w", err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: d.deleted.GetNamespace(), Name: d.deleted.GetName(),
	}}
	if err := c.Delete(ctx, account); err != nil {
		return fmt.Errorf("damage: %w", err)
	}
	return nil
}
