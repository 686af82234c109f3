package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
)

// parents are the ConfigMaps in which the manager notes what it applied. Calico's releases have
// no ConfigMap of their own.
const parents = "patch configmaps"

// applied returns how many objects were applied: all patches but those of the parents.
func applied(t outcome.Traffic) int64 {
	var total int64
	for kind, n := range t.Kinds {
		if strings.HasPrefix(kind, "patch ") && kind != parents {
			total += n
		}
	}
	return total
}

// compare reads the published files themselves: how many objects the second release has, and
// how many of those the first has not or has otherwise.
func compare(all []release, first, second string) (objects, changed int, err error) {
	before, err := objectsOf(all, first)
	if err != nil {
		return 0, 0, err
	}
	after, err := objectsOf(all, second)
	if err != nil {
		return 0, 0, err
	}
	for name, content := range after {
		if !bytes.Equal(before[name], content) {
			changed++
		}
	}
	return len(after), changed, nil
}

// objectsOf returns the JSON of the objects of a release.
func objectsOf(all []release, version string) (map[string][]byte, error) {
	at := slices.IndexFunc(all, func(r release) bool { return r.version == version })
	if at < 0 {
		return nil, fmt.Errorf("there is no release %s", version)
	}
	objects := map[string][]byte{}
	for _, file := range all[at].files {
		of, err := documents(file)
		if err != nil {
			return nil, fmt.Errorf("release %s: %w", version, err)
		}
		maps.Copy(objects, of)
	}
	return objects, nil
}

func documents(file []byte) (map[string][]byte, error) {
	objects := map[string][]byte{}
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(file), 4096); ; {
		var u unstructured.Unstructured
		err := decoder.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(u.Object) == 0 {
			continue
		}
		name := fmt.Sprintf("%s %s/%s", u.GroupVersionKind().GroupKind(), u.GetNamespace(), u.GetName())
		if objects[name], err = json.Marshal(u.Object); err != nil {
			return nil, err
		}
	}
}
