package source_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// secrets are those that the sources of the tests with real clients name.
func (c *clients) secrets() *source.Resolver {
	c.t.Helper()
	public, err := os.ReadFile(c.path("cosign.pub"))
	if err != nil {
		c.t.Fatal(err)
	}
	other, err := os.ReadFile(c.path("other.pub"))
	if err != nil {
		c.t.Fatal(err)
	}
	config, err := os.ReadFile(c.path("config.json"))
	if err != nil {
		c.t.Fatal(err)
	}
	login := secretOf("login", map[string]string{".dockerconfigjson": string(config)})
	login.Type = corev1.SecretTypeDockerConfigJson
	return newResolver(c.t, login,
		forHost(secretOf("wrong", map[string]string{"username": clientUser, "password": "wrong"}), c.secure),
		secretOf("ca", map[string]string{"ca.crt": string(c.ca)}),
		secretOf("other-ca", map[string]string{"ca.crt": authorityOf(c.t)}),
		secretOf("pem", map[string]string{"ca.pem": string(c.ca)}),
		secretOf("cosign", map[string]string{"cosign.pub": string(public)}),
		secretOf("other", map[string]string{"other.pub": string(other)}),
	)
}

// source is an artifact of the registry with TLS and a login.
func (c *clients) source(repository, tag string, changes ...func(*v1alpha1.OCISource)) v1alpha1.Source {
	src := &v1alpha1.OCISource{
		Repository: c.secure + "/" + repository, Tag: tag,
		SecretRef: v1alpha1.LocalReference{Name: "login"}, CARef: v1alpha1.LocalReference{Name: "ca"},
	}
	for _, change := range changes {
		change(src)
	}
	return v1alpha1.Source{OCI: src}
}

// chart is a chart of the registry with TLS and a login.
func (c *clients) chart(repository, version string) v1alpha1.Source {
	return v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: "oci://" + c.secure + "/" + repository, Version: version, ReleaseName: "app", Namespace: "app",
		SecretRef: v1alpha1.LocalReference{Name: "login"}, CARef: v1alpha1.LocalReference{Name: "ca"},
	}}
}

func signedWith(secret string) func(*v1alpha1.OCISource) {
	return func(src *v1alpha1.OCISource) {
		src.Verify = &v1alpha1.Verify{SecretRef: v1alpha1.LocalReference{Name: secret}}
	}
}

func asLogin(secret, ca string) func(*v1alpha1.OCISource) {
	return func(src *v1alpha1.OCISource) { src.SecretRef.Name, src.CARef.Name = secret, ca }
}

// publish pushes and signs everything that the tests deliver, with the real clients.
func (c *clients) publish() {
	c.t.Helper()
	forty := c.files(40)
	c.write("README.md", "# Calico\n")
	c.write("folder/a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")
	c.write("folder/README.md", "# Calico\n")
	push := func(tag string, files ...string) {
		c.run("oras", append([]string{"push", c.secure + "/" + tag}, files...)...)
	}
	push("files:one", "f00.yaml")
	push("files:typed", "f01.yaml:application/yaml")
	push("files:forty", append(forty, "README.md")...)
	push("files:readme", "README.md")
	push("files:folder", "folder")
	push("files:nested", "folder/a.yaml")
	push("files:config", "--artifact-type=application/vnd.acme.config", "--config=config.json:application/json", "f00.yaml")
	push("versions:1.2.0", "f00.yaml")
	push("versions:1.10.0", "f01.yaml")
	c.run("oras", "attach", "--artifact-type=application/vnd.acme.notes", c.secure+"/versions:1.10.0", "README.md")
	c.run("oras", "push", "--plain-http", c.plain+"/files:one", "f00.yaml")

	c.run("helm", "create", "app")
	c.run("helm", "package", "app")
	c.run("helm", "push", "app-0.1.0.tgz", "oci://"+c.secure+"/charts")

	c.run("crane", "index", "append", "-m", c.secure+"/files:one", "-t", c.secure+"/files:index")
	c.run("crane", "index", "append", "-m", c.secure+"/files:one", "-m", c.secure+"/files:forty", "-t", c.secure+"/files:indices")

	c.run("oras", "manifest", "index", "create", c.secure+"/files:orasindex", "one")
	c.write("layer.tar", tarOf(c.t, "manifests/a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"))
	c.run("crane", "append", "--oci-empty-base", "-f", "layer.tar", "-t", c.secure+"/image:oci")
	c.run("crane", "append", "-f", "layer.tar", "-t", c.secure+"/image:docker")

	c.run("cosign", "generate-key-pair")
	c.run("cosign", "generate-key-pair", "--output-key-prefix", "other")
	for _, format := range []string{"bundle", "simple"} {
		repository := c.secure + "/signed/" + format
		c.run("oras", "push", repository+":v1", "f00.yaml")
		c.run("crane", "index", "append", "-m", repository+":v1", "-t", repository+":index")
		for _, tag := range []string{":v1", ":index"} {
			c.run("cosign", "sign", "--yes", "--key", "cosign.key", "--use-signing-config=false", "--tlog-upload=false",
				"--new-bundle-format="+map[string]string{"bundle": "true", "simple": "false"}[format],
				repository+"@"+c.run("crane", "digest", repository+tag))
		}
		c.run("oras", "cp", "--recursive", "--to-plain-http", repository+":v1", c.plain+"/signed/"+format+":v1")
	}
	// oras copies what refers to an artifact; a signature under a tag is copied by its tag.
	tag := strings.Replace(c.run("crane", "digest", c.secure+"/signed/simple:v1"), ":", "-", 1) + ".sig"
	c.run("crane", "copy", "--insecure", c.secure+"/signed/simple:"+tag, c.plain+"/signed/simple:"+tag)
}

func TestRealClients(t *testing.T) {
	t.Parallel()
	c := newClients(t)
	c.publish()
	r := c.secrets()
	t.Run("what they push is delivered", func(t *testing.T) { c.deliver(t, r) })
	t.Run("what cannot be delivered has a remedy", func(t *testing.T) { c.refuse(t, r) })
}

// deliver resolves what was pushed and looks at the objects.
func (c *clients) deliver(t *testing.T, r *source.Resolver) {
	t.Helper()
	var forty []string
	for _, name := range c.files(40) {
		forty = append(forty, "ConfigMap "+strings.TrimSuffix(name, ".yaml"))
	}
	one := forty[:1]
	plain := func(repository, tag string, changes ...func(*v1alpha1.OCISource)) v1alpha1.Source {
		return c.source(repository, "", append(changes, asLogin("", ""), func(src *v1alpha1.OCISource) {
			src.Repository, src.Insecure = c.plain+"/"+repository, new(true)
			src.Digest = v1alpha1.Digest(c.run("crane", "digest", "--insecure", src.Repository+":"+tag))
		})...)
	}
	newest := c.source("versions", "", func(src *v1alpha1.OCISource) { src.SemVer = "^1" })
	tests := map[string]struct {
		given v1alpha1.Source
		want  []string
	}{
		"oras push of a file":                  {c.source("files", "one"), one},
		"oras push of a file without TLS":      {plain("files", "one"), one},
		"oras push of a file with its type":    {c.source("files", "typed"), []string{"ConfigMap f01"}},
		"oras push of 40 files and a README":   {c.source("files", "forty"), forty},
		"oras push of a folder":                {c.source("files", "folder"), []string{"Namespace a"}},
		"oras push of a file in a folder":      {c.source("files", "nested"), []string{"Namespace a"}},
		"oras push with a config and a type":   {c.source("files", "config"), one},
		"oras push of versions, oras attach":   {newest, []string{"ConfigMap f01"}},
		"oras manifest index create of one":    {c.source("files", "orasindex"), one},
		"oras cp of what is signed":            {plain("signed/bundle", "v1", signedWith("cosign")), one},
		"crane copy of what is signed":         {plain("signed/simple", "v1", signedWith("cosign")), one},
		"crane append to an OCI image":         {c.source("image", "oci"), []string{"Namespace a"}},
		"crane append to an image of Docker":   {c.source("image", "docker"), []string{"Namespace a"}},
		"crane index append of one":            {c.source("files", "index"), one},
		"cosign sign, as a bundle":             {c.source("signed/bundle", "v1", signedWith("cosign")), one},
		"cosign sign, as a tag":                {c.source("signed/simple", "v1", signedWith("cosign")), one},
		"cosign sign of an index, as a bundle": {c.source("signed/bundle", "index", signedWith("cosign")), one},
		"cosign sign of an index, as a tag":    {c.source("signed/simple", "index", signedWith("cosign")), one},
		"helm create, package and push": {
			c.chart("charts/app", "0.1.0"), []string{"Deployment app", "Service app", "ServiceAccount app"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			parts := resolved(t, r, test.given)
			got := delivered(t, parts)
			if slices.Sort(got); !cmp.Equal(test.want, got) {
				t.Errorf("want %q, got %q", test.want, got)
			}
			if at := parts[0].Artifact; at.Tag != "" && at.Digest.String() != c.run("crane", "digest", "--insecure",
				strings.TrimPrefix(at.Reference, "oci://")+":"+at.Tag) {
				t.Errorf("want the digest that crane says, got %v", at)
			}
		})
	}
}

// refuse resolves what cannot be delivered and looks at the messages.
func (c *clients) refuse(t *testing.T, r *source.Resolver) {
	t.Helper()
	one := c.run("crane", "digest", c.secure+"/files:one")
	tests := map[string]struct {
		given v1alpha1.Source
		want  string
	}{
		"a README alone": {c.source("files", "readme"), `the layer "README.md" of the media type ` +
			`"application/vnd.oci.image.layer.v1.tar" cannot be read: it is neither YAML nor an archive of it; push files whose names end in .yaml`},
		"an index of two":            {c.source("files", "indices"), "name the digest of one of them: " + one + " ("},
		"a chart in an oci source":   {c.source("charts/app", "0.1.0"), "use a helm source with chart: oci://" + c.secure + "/charts/app"},
		"files in a helm source":     {c.chart("files", "one"), "it is no Helm chart: use an oci source"},
		"nothing signed":             {c.source("files", "one", signedWith("cosign")), "has no cosign signature: sign it with cosign sign"},
		"a bundle of another key":    {c.source("signed/bundle", "v1", signedWith("other")), "of Secret other (other.pub)"},
		"a signature of another key": {c.source("signed/simple", "v1", signedWith("other")), "of Secret other (other.pub)"},
		"a wrong login": {
			c.source("files", "one", asLogin("wrong", "ca")), "refused the credentials of Secret wrong, keys username and password (401",
		},
		"no login": {
			c.source("files", "one", asLogin("", "ca")), "requires credentials (401 Unauthorized), and there are none for it: name a Secret",
		},
		"an unknown authority": {
			c.source("files", "one", asLogin("login", "")), "unknown authority: name a Secret with its authority, key ca.crt, in caRef",
		},
		"another authority": {c.source("files", "one", asLogin("login", "other-ca")), "it is none of those in Secret other-ca, key ca.crt"},
		"a CA without its key": {
			c.source("files", "one", asLogin("login", "pem")), "Secret pem: it has no key ca.crt",
		},
		"TLS to a registry without it": {
			v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: c.plain + "/files", Tag: "one"}},
			"the server speaks no TLS: set insecure: true and a digest in the source",
		},
		"plain HTTP to a registry with TLS": {
			v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: c.secure + "/files", Digest: v1alpha1.Digest(one), Insecure: new(true)}},
			"it may speak TLS: remove insecure from the source",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: test.given})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("want %q in the message, got %v", test.want, err)
			}
			t.Log(err)
		})
	}
}
