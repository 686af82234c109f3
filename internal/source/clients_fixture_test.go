package source_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// The login of the registry, and its line in a htpasswd file.
const (
	clientUser     = "jane"
	clientPassword = "hunter2"
	clientLine     = "jane:$2a$04$/UHlXAxUKwR/yZaUoYnogOwat.E8o/7wAxxRCI63ny9GJUEogvdge\n"
)

// clients are the real oras, helm, crane and cosign, and the registries that they push
// to, which are those of the CNCF: one with TLS and a login, and one without.
type clients struct {
	t        *testing.T
	programs string
	dir      string
	// ca is the certificate of the registry in PEM, which is its own authority.
	ca []byte
	// secure and plain are the addresses of the registries.
	secure, plain string
}

// newClients returns the clients of the folder CLIENTS; without it the test is skipped.
func newClients(t *testing.T) *clients {
	t.Helper()
	programs := os.Getenv("CLIENTS")
	if programs == "" {
		t.Skip("CLIENTS names no folder with the real clients: see make test-clients")
	}
	c := &clients{t: t, programs: programs, dir: t.TempDir()}
	key := c.certificate()
	c.write("htpasswd", clientLine)
	c.secure = c.serve("secure", fmt.Sprintf("tls: {certificate: %s, key: %s}", c.path("ca.pem"), key),
		fmt.Sprintf("auth: {htpasswd: {realm: test, path: %s}}\n", c.path("htpasswd")))
	c.plain = c.serve("plain", "", "")
	c.write("config.json", fmt.Sprintf(`{"auths":{%q:{"username":%q,"password":%q,"auth":"amFuZTpodW50ZXIy"}}}`,
		c.secure, clientUser, clientPassword))
	return c
}

func (c *clients) path(name string) string { return filepath.Join(c.dir, name) }

// write writes a file, below folders if its name has some.
func (c *clients) write(name, text string) {
	c.t.Helper()
	if err := os.MkdirAll(filepath.Dir(c.path(name)), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// certificate makes the certificate of the registry and returns the file of its key.
func (c *clients) certificate() string {
	c.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "registry"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		c.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		c.t.Fatal(err)
	}
	c.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	c.write("ca.pem", string(c.ca))
	c.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return c.path("key.pem")
}

// serve starts a registry with more settings, waits until it listens, and returns its
// address.
func (c *clients) serve(name, http, more string) string {
	c.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	c.write(name+".yaml", fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"+
		"storage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q, %s}\n%s", c.path(name), address, http, more))
	serving := exec.CommandContext(c.t.Context(), filepath.Join(c.programs, "registry"), "serve", c.path(name+".yaml"))
	if err := serving.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = serving.Wait() }) // the end of the test's context kills it
	deadline := time.After(time.Minute)
	for {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
			return address
		}
		select {
		case <-deadline:
			c.t.Fatalf("the registry does not listen: %v", err)
		case <-time.Tick(10 * time.Millisecond):
		}
	}
}

// run runs a client in the folder of the test, with the login, and returns what it
// printed.
func (c *clients) run(program string, args ...string) string {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), filepath.Join(c.programs, program), args...)
	command.Dir = c.dir
	command.Env = append(os.Environ(), "HOME="+c.dir, "DOCKER_CONFIG="+c.dir, "SSL_CERT_FILE="+c.path("ca.pem"),
		"HELM_REGISTRY_CONFIG="+c.path("config.json"), "COSIGN_PASSWORD=")
	output, err := command.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, output)
	}
	return strings.TrimSpace(string(output))
}

// files writes so many files with a ConfigMap each and returns their names.
func (c *clients) files(n int) []string {
	c.t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("f%02d.yaml", i)
		c.write(names[i], fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: f%02d}\n", i))
	}
	return names
}

// delivered returns the kinds and names of the objects in parts, as they would be
// applied.
func delivered(t *testing.T, parts []source.Part) []string {
	t.Helper()
	var objects []string
	for _, part := range parts {
		packed, err := part.Fetch(t.Context(), store.Partial{})
		if err != nil {
			t.Fatal(err)
		}
		for file, err := range archive.Files(packed, part.Format, part.Files, archive.DefaultLimits(), scratch(t)) {
			if err != nil {
				t.Fatal(err)
			}
			for object, err := range manifest.Objects(file.Reader, part.Name, manifest.DefaultLimits()) {
				if err != nil {
					t.Fatal(err)
				}
				objects = append(objects, object.Kind+" "+object.Name)
			}
		}
		_ = packed.Close()
	}
	return objects
}

// scratch returns a way to make files that archives are unpacked into.
func scratch(t *testing.T) func() (archive.Scratch, error) {
	t.Helper()
	return func() (archive.Scratch, error) { return os.CreateTemp(t.TempDir(), "") }
}
