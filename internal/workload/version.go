package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"sync"
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

// knownVersion is the version that a client has read.
type knownVersion struct {
	mu      sync.Mutex
	version string
	at      time.Time
}

func (k *knownVersion) set(version string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.version, k.at = version, time.Now()
}

// get returns the version, unless it was read longer ago than ttl.
func (k *knownVersion) get(ttl time.Duration) (version string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.version, k.version != "" && time.Since(k.at) < ttl
}

// readVersion returns the version that is known, or reads it.
func (c *Client) readVersion(ctx context.Context, ttl time.Duration) (string, error) {
	if known, ok := c.known.get(ttl); ok {
		c.silent.Store(false)
		return known, nil
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
	c.known.set(read.GitVersion)
	return read.GitVersion, nil
}

// maxProbe bounds the answer to a probe in bytes.
const maxProbe = 64 << 10

// probe reads the version within a time, and returns it: empty if it is none that is
// known. The errors are those of client-go, and one for an answer that is no version at
// all.
func (c *Client) probe(ctx context.Context, within time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	body, err := c.rest.Get().AbsPath("version").SetHeader("Accept", acceptJSON).MaxRetries(0).Stream(ctx)
	if err != nil {
		return "", err
	}
	defer body.Close() //nolint:errcheck // nothing was written that could be lost
	text, err := io.ReadAll(io.LimitReader(body, maxProbe))
	if err != nil {
		return "", err
	}
	read := &version.Info{}
	if json.Unmarshal(text, read) != nil || read.GitVersion == "" {
		return "", errNoVersion
	}
	if checkVersion(read.GitVersion) != nil {
		return "", nil
	}
	c.silent.Store(false)
	c.known.set(read.GitVersion)
	return read.GitVersion, nil
}

var errNoVersion = errors.New("what answers there is no API server")

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
