package store

import (
	"context"
	"fmt"
	"math"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

type namespaceKey struct{}

// WithNamespace returns a context of what is stored for the Bundles of a namespace. It
// counts for the share of the namespace.
func WithNamespace(ctx context.Context, namespace string) context.Context {
	return context.WithValue(ctx, namespaceKey{}, namespace)
}

// namespaceOf returns the namespace that something is stored for; empty for none.
func namespaceOf(ctx context.Context) string {
	namespace, _ := ctx.Value(namespaceKey{}).(string)
	return namespace
}

// shareOf returns how many bytes of a limit a namespace may hold. Zero per cent are all.
func shareOf(limit int64, percent int) int64 {
	if percent == 0 || percent == 100 {
		return math.MaxInt64
	}
	return limit / 100 * int64(percent)
}

// countFor notes that something is stored with the digest d. It counts for the namespace
// before a Bundle names it.
func (s *Store) countFor(ctx context.Context, d digest.Digest) {
	if namespace := namespaceOf(ctx); namespace != "" {
		s.Name(types.NamespacedName{Namespace: namespace}, d)
	}
}

// bytesByNamespace returns how much of what is held each namespace uses. What several
// use counts for each: what one of them does is no matter for the others. It needs mu.
func (s *Store) bytesByNamespace(held *holdings) map[string]int64 {
	used, seen := map[string]int64{}, map[string]bool{}
	for d, e := range held.entries {
		clear(seen)
		for bundle := range s.named[d] {
			if !seen[bundle.Namespace] {
				seen[bundle.Namespace] = true
				used[bundle.Namespace] += e.bytes
			}
		}
	}
	return used
}

// isOnlyOf reports whether a namespace uses d and no other one does. It needs mu.
func (s *Store) isOnlyOf(d digest.Digest, namespace string) bool {
	for bundle := range s.named[d] {
		if bundle.Namespace != namespace {
			return false
		}
	}
	return len(s.named[d]) > 0
}

// isWithinShare returns whose Bundles keep from others what they name: nobody does it
// with what he may not hold.
func (s *Store) isWithinShare(used map[string]int64) func(namespace string) bool {
	return func(namespace string) bool { return used[namespace] <= s.share }
}

// isNamed reports whether a Bundle of a namespace that counts names d. It needs mu.
func (s *Store) isNamed(d digest.Digest, counts func(namespace string) bool) bool {
	for bundle := range s.named[d] {
		if bundle.Name != "" && counts(bundle.Namespace) {
			return true
		}
	}
	return false
}

// keepShare evicts what only the namespace of g uses and no Bundle names, until the
// namespace is within its share. It never evicts what another one uses. It needs mu.
func (s *Store) keepShare(g growth, held *holdings, used map[string]int64) error {
	if g.namespace == "" {
		return nil
	}
	over := used[g.namespace] + held.temps[g.file] + g.ahead - held.sizeOf(g.replaces) - s.share
	if over <= 0 {
		return nil
	}
	all := func(string) bool { return true }
	freed, err := s.free(held, over, func(e *entry) bool {
		return s.isFree(g, e) && s.isOnlyOf(e.digest, g.namespace) && !s.isNamed(e.digest, all)
	})
	if err == nil && !freed {
		err = s.overShare(g)
	}
	return err
}

func (s *Store) overShare(g growth) error {
	return fault.Stall(v1alpha1.LimitExceededReason, fmt.Errorf(
		"%s: the share of namespace %s in the cache, %d bytes (flag --cache-namespace-max-percent), %w beside what its "+
			"Bundles name: name less in them, or have the cache or the share enlarged", g.op, g.namespace, s.share, errNoRoom))
}
