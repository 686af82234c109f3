package testenv

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

const (
	// bundlesVariable names the folder with copies of published manifests.
	bundlesVariable = "BUNDLES_DIR"
	// calicoURL and loggingURL are the beginning of the addresses of the manifests of
	// Calico and of the Logging Operator. A tag, a folder and the name of the
	// file follow.
	calicoURL  = "https://raw.githubusercontent.com/projectcalico/calico/"
	loggingURL = "https://raw.githubusercontent.com/kube-logging/logging-operator/"
	// maxCatalogueFile bounds one file. The largest of the catalogue has 3 MB.
	maxCatalogueFile = 64 << 20
)

// copies maps published URLs to the folder with copies. A URL is start, the tag,
// middle and the name of the file; its copy is folder/tag/below and that name.
var copies = []struct{ start, middle, folder, below string }{
	{calicoURL, "/manifests/", "calico", ""},
	{loggingURL, "/charts/logging-operator/crds/", "logging-operator", "crds"},
}

// CatalogueNames returns the names of all Bundles of the repository's manifests,
// sorted.
func CatalogueNames() ([]string, error) {
	root, err := repositoryRoot()
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(root, "manifests", "*.yaml"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("catalogue: no manifests: %w", cmp.Or(err, os.ErrNotExist))
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(filepath.Base(name), ".yaml")
	}
	slices.Sort(names) // as files they are sorted with their ending
	return names, nil
}

// Catalogue returns the Bundle of that name from the repository's manifests.
func Catalogue(name string) (*v1alpha1.Bundle, error) {
	root, err := repositoryRoot()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(root, "manifests", name+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	bundle := &v1alpha1.Bundle{}
	if err := yaml.UnmarshalStrict(content, bundle); err != nil {
		return nil, fmt.Errorf("catalogue: %s: %w", name, err)
	}
	return bundle, nil
}

// CatalogueFile returns the path of a file that the catalogue names by its URL
// and the hexadecimal digits of its SHA-256, which may follow "sha256:". Only
// bytes of that digest count. They come from the folder BUNDLES_DIR (default:
// ../shared/bundles beside the repository), else from bin/bundles, where a file
// is kept once it was downloaded, else from the URL. The error lists what
// was tried: a test that needs the file skips with it.
func CatalogueFile(ctx context.Context, url, sha256 string) (path string, err error) {
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	dialer := &net.Dialer{Timeout: askTimeout}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext}
	defer transport.CloseIdleConnections()
	c := catalogue{
		bundles: bundlesFolder(root),
		kept:    filepath.Join(root, "bin", "bundles"),
		client:  &http.Client{Transport: transport, Timeout: time.Minute},
	}
	return c.file(ctx, url, sha256)
}

// CatalogueCopy returns the path of a file that is not published as a file, by
// its path in the folder BUNDLES_DIR and the hexadecimal digits of its SHA-256.
// The error describes what is wrong with the file: a test that needs it skips with it.
func CatalogueCopy(place, sha256 string) (string, error) {
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	name := filepath.Join(bundlesFolder(root), filepath.FromSlash(place))
	if err := checkFile(name, sha256); err != nil {
		return "", fmt.Errorf("%s is not to be had; set %s to a folder that holds it: %w", place, bundlesVariable, err)
	}
	return name, nil
}

// bundlesFolder returns the folder with copies.
func bundlesFolder(root string) string {
	return cmp.Or(os.Getenv(bundlesVariable), filepath.Join(root, "..", "shared", "bundles"))
}

// catalogue finds published files.
type catalogue struct {
	// bundles has copies, by project and tag; kept has what was downloaded, by
	// digest.
	bundles, kept string
	client        *http.Client
}

func (c catalogue) file(ctx context.Context, url, digest string) (string, error) {
	digits := strings.TrimPrefix(digest, "sha256:")
	if raw, err := hex.DecodeString(digits); err != nil || len(raw) != sha256.Size {
		return "", fmt.Errorf("%s: %q is not a SHA-256", url, digest)
	}
	var tried []error
	kept := filepath.Join(c.kept, digits)
	for _, local := range []string{c.copyOf(url), kept} {
		if local == "" {
			continue
		}
		err := checkFile(local, digits)
		if err == nil {
			return local, nil
		}
		tried = append(tried, err)
	}
	err := c.download(ctx, url, digits, kept)
	if err == nil {
		return kept, nil
	}
	return "", fmt.Errorf("%s is not to be had; set %s to a folder that holds it: %w",
		url, bundlesVariable, errors.Join(append(tried, err)...))
}

// copyOf returns where the folder bundles has the file, "" if it has none of
// that project.
func (c catalogue) copyOf(url string) string {
	for _, of := range copies {
		rest, ok := strings.CutPrefix(url, of.start)
		if !ok {
			continue
		}
		tag, file, ok := strings.Cut(rest, of.middle)
		if ok && isName(tag) && isName(file) {
			return filepath.Join(c.bundles, of.folder, tag, of.below, file)
		}
	}
	return ""
}

// isName reports whether s is a single element of a path, other than "." and "..".
func isName(s string) bool { return s != "" && s != "." && s != ".." && path.Base(s) == s }

func checkFile(name, digits string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := copyChecked(io.Discard, f, digits); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// copyChecked copies all of r and returns an error unless it has that digest.
func copyChecked(w io.Writer, r io.Reader, digits string) error {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(r, maxCatalogueFile+1))
	if err != nil {
		return err
	}
	if n > maxCatalogueFile {
		return fmt.Errorf("is larger than %d bytes", maxCatalogueFile)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != digits {
		return fmt.Errorf("has the SHA-256 %s, not %s", got, digits)
	}
	return nil
}

// download writes the file to name if its digest is right. On an error it leaves
// no file.
func (c catalogue) download(ctx context.Context, url, digits, name string) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".download-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // After the rename it is not there.
	if err := errors.Join(copyChecked(f, resp.Body, digits), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return os.Rename(f.Name(), name)
}
