package packing

import (
	"bytes"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// limit is what the values of a ConfigMap may have together (MaxSecretSize of
	// Kubernetes' validation, without the keys), less some room for the keys.
	limit = 1<<20 - 1<<10
	// key is the only one of each ConfigMap: the objects of one value are sorted by
	// ClusterResourceSet, those of several are applied value after value.
	key = "objects.json"
)

// ConfigMaps packs the objects of files into ConfigMaps for a ClusterResourceSet, in the
// form with the fewest bytes that it takes: a JSON list without white space. CRDs come first, since
// it applies ConfigMap after ConfigMap and waits for nothing; besides the order of the files
// stays. undeliverable are the kinds and names of objects that are too large for any
// ConfigMap.
func ConfigMaps(namespace, prefix string, files []string) (maps []*corev1.ConfigMap, undeliverable []string, err error) {
	documents, err := read(files)
	if err != nil {
		return nil, nil, err
	}
	var crds, rest []document
	for _, d := range documents {
		switch {
		case len(d.json)+len("[]") > limit:
			undeliverable = append(undeliverable, fmt.Sprintf("%s %s (%d bytes)", d.kind, d.name, len(d.json)))
		case d.isDefinition():
			crds = append(crds, d)
		default:
			rest = append(rest, d)
		}
	}
	for i, list := range fill(append(crds, rest...)) {
		maps = append(maps, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s-%d", prefix, i)},
			Data:       map[string]string{key: list},
		})
	}
	return maps, undeliverable, nil
}

// fill makes JSON lists, each as full as it can be.
func fill(documents []document) []string {
	var lists []string
	var objects [][]byte
	size := 0
	for _, d := range documents {
		if len(objects) > 0 && size+len(d.json)+len("[]") > limit {
			lists, objects, size = append(lists, list(objects)), nil, 0
		}
		objects = append(objects, d.json)
		size += len(d.json) + len(",")
	}
	if len(objects) == 0 {
		return lists
	}
	return append(lists, list(objects))
}

func list(objects [][]byte) string {
	return "[" + string(bytes.Join(objects, []byte(","))) + "]"
}
