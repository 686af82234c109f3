package workload

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/version"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

const (
	// versionTTL is how long the Kubernetes version of an API server is taken
	// to be the same: it changes while the connection stays.
	versionTTL = 5 * time.Minute

	// settlingTTL is versionTTL while the version is about to change.
	settlingTTL = 15 * time.Second

	// versionPatience is how long a version is waited for. A read that takes longer
	// goes on, for who asks the next time.
	versionPatience = 3 * time.Second

	// firstMinor and lastMinor bound the versions that are known. Charts are rendered
	// once for each minor version, and a workload cluster can name any.
	firstMinor, lastMinor = 20, 49

	// maxVersion bounds a version in bytes.
	maxVersion = 64
)

// gitVersion is a version of Kubernetes, perhaps with the suffix of a vendor.
var gitVersion = regexp.MustCompile(`^v1\.([0-9]{2})\.[0-9]{1,3}([-+][0-9A-Za-z.+_-]+)?$`)

// Version returns the Kubernetes version of the API server, as in "v1.36.3". It
// is read again, once for all callers, when it was read longer ago than ttl. The
// caller is not held up by a server that does not answer: the error is a fault.Retry
// after three seconds, or at once if the server did not answer the last time. A
// version that cannot be one is a fault.Stall with ConstraintInvalidReason.
func (c *Client) Version(ctx context.Context, ttl time.Duration) (string, error) {
	patience := versionPatience
	if c.silent.Load() {
		patience = 0
	}
	read := c.reads.DoChan("version", func() (any, error) { return c.readVersion(context.WithoutCancel(ctx), ttl) })
	select {
	case known := <-read:
		return known.Val.(string), known.Err
	case <-time.After(patience):
		c.silent.Store(true)
		return "", failed(versionSubject, false, errStalled)
	case <-ctx.Done():
		return "", failed(versionSubject, false, ctx.Err())
	}
}

const versionSubject = "version of the workload cluster"

// readVersion returns the version that is known, or reads it.
func (c *Client) readVersion(ctx context.Context, ttl time.Duration) (string, error) {
	if c.version != "" && time.Since(c.versionAge) < ttl {
		c.silent.Store(false)
		return c.version, nil
	}
	read := &version.Info{}
	if err := c.get(ctx, acceptJSON, read, "version"); err != nil {
		c.silent.Store(errors.Is(err, errStalled))
		return "", failed(versionSubject, false, err)
	}
	c.silent.Store(false)
	if err := checkVersion(read.GitVersion); err != nil {
		return "", err
	}
	c.version, c.versionAge = read.GitVersion, time.Now()
	return c.version, nil
}

// checkVersion returns why a text is not a version of Kubernetes that is known.
func checkVersion(given string) error {
	parts := gitVersion.FindStringSubmatch(given)
	if parts != nil && len(given) <= maxVersion {
		if minor, err := strconv.Atoi(parts[1]); err == nil && minor >= firstMinor && minor <= lastMinor {
			return nil
		}
	}
	return fault.Stall(v1alpha1.ConstraintInvalidReason, fmt.Errorf(
		"%s: %s is not one of Kubernetes from v1.%d to v1.%d", versionSubject, text.Quote(given, maxVersion), firstMinor, lastMinor))
}
