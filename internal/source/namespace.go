package source

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// namespacePart returns the Namespace of a chart's release as a part that gives way to
// any other one of its name.
func namespacePart(src v1alpha1.HelmSource, from string) Part {
	text := fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %q\n", src.Namespace)
	return Part{
		Digest: digest.FromString(text), Name: "Namespace of chart " + path.Base(src.Chart), From: from, GivesWay: true,
		Fetch: func(context.Context, store.Partial) (store.Body, error) {
			return store.Body{ReadCloser: io.NopCloser(strings.NewReader(text))}, nil
		},
	}
}
