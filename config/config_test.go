// Package config tests what clusterctl installs, as kustomize builds it from the
// folders beside this file, and the samples. It has no code that ships.
package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/cluster-api/util/contract"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/app"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	providerLabel = "cluster.x-k8s.io/provider"
	provider      = "addon-bundle"
	namespace     = "caapb-system"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestOneNamespace(t *testing.T) {
	t.Parallel()
	namespaces := ofKind(components(t), "Namespace")
	if len(namespaces) != 1 || namespaces[0].GetName() != namespace {
		t.Errorf("namespaces = %v, want %s alone", names(namespaces), namespace)
	}
	for _, object := range components(t) {
		if in := object.GetNamespace(); in != "" && in != namespace {
			t.Errorf("%s %s is in namespace %s", object.GetKind(), object.GetName(), in)
		}
	}
}

func TestEveryObjectHasTheLabelOfTheProvider(t *testing.T) {
	t.Parallel()
	for _, object := range components(t) {
		if got := object.GetLabels()[providerLabel]; got != provider {
			t.Errorf("%s %s: label %s = %q, want %q", object.GetKind(), object.GetName(), providerLabel, got, provider)
		}
	}
}

func TestLabelsOfTheCRDs(t *testing.T) {
	t.Parallel()
	every := map[string]string{
		clusterctlv1.ClusterctlLabel: "", "cluster.x-k8s.io/v1beta2": "v1alpha1", providerLabel: provider,
	}
	hierarchy := maps.Clone(every)
	hierarchy[clusterctlv1.ClusterctlMoveHierarchyLabel] = ""
	want := map[string]map[string]string{
		"bundles.addons.cluster.x-k8s.io":           hierarchy,
		"clusterbundles.addons.cluster.x-k8s.io":    every,
		"clusterbundlesets.addons.cluster.x-k8s.io": hierarchy,
	}
	got := make(map[string]map[string]string)
	for _, crd := range ofKind(components(t), "CustomResourceDefinition") {
		got[crd.GetName()] = crd.GetLabels()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels of the CRDs (-want +got):\n%s", diff)
	}
}

func TestNamesOfTheCRDsAreAsClusterctlWantsThem(t *testing.T) {
	t.Parallel()
	for _, crd := range ofKind(components(t), "CustomResourceDefinition") {
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		if want := contract.CalculateCRDName(group, kind); crd.GetName() != want {
			t.Errorf("name = %q, want %q", crd.GetName(), want)
		}
	}
}

func TestDeployment(t *testing.T) {
	t.Parallel()
	deployments := ofKind(components(t), "Deployment")
	if len(deployments) != 1 {
		t.Fatalf("deployments = %v, want one", names(deployments))
	}
	var deployment appsv1.Deployment
	convert(t, deployments[0], &deployment)
	pod := deployment.Spec.Template
	if diff := cmp.Diff(deployment.Spec.Selector.MatchLabels, pod.Labels); diff != "" {
		t.Errorf("labels of the pod (-selector +got):\n%s", diff)
	}
	if len(pod.Spec.Containers) != 1 || pod.Spec.Containers[0].Name != "manager" {
		t.Fatalf("containers = %v, want manager alone", pod.Spec.Containers)
	}
	accounts := ofKind(components(t), "ServiceAccount")
	if len(accounts) != 1 || accounts[0].GetName() != pod.Spec.ServiceAccountName {
		t.Errorf("service accounts = %v, want %s", names(accounts), pod.Spec.ServiceAccountName)
	}
	checkRestricted(t, pod.Spec)
}

func TestTheMemoryOfTheManagerIsBounded(t *testing.T) {
	t.Parallel()
	var deployment appsv1.Deployment
	convert(t, ofKind(components(t), "Deployment")[0], &deployment)
	container := deployment.Spec.Template.Spec.Containers[0]
	at := slices.IndexFunc(container.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
	if at < 0 {
		t.Fatal("want GOMEMLIMIT, got none")
	}
	// Go's unit MiB is Kubernetes' Mi.
	own := resource.MustParse(strings.TrimSuffix(container.Env[at].Value, "B"))
	const child = 512 << 20
	if limit := container.Resources.Limits.Memory().Value(); own.Value()+2*child > limit {
		t.Errorf("want room for the manager (%s) and two children of 512 MiB in %d bytes", own.String(), limit)
	}
}

func TestTheManagersPodsAreThoseOfThePolicies(t *testing.T) {
	t.Parallel()
	var deployment appsv1.Deployment
	convert(t, ofKind(components(t), "Deployment")[0], &deployment)
	pods := deployment.Spec.Template.Labels
	var policy networkingv1.NetworkPolicy
	convert(t, ofKind(components(t), "NetworkPolicy")[0], &policy)
	var budget policyv1.PodDisruptionBudget
	convert(t, ofKind(components(t), "PodDisruptionBudget")[0], &budget)
	for what, got := range map[string]map[string]string{
		"NetworkPolicy": policy.Spec.PodSelector.MatchLabels, "PodDisruptionBudget": budget.Spec.Selector.MatchLabels,
	} {
		if diff := cmp.Diff(pods, got); diff != "" {
			t.Errorf("%s (-labels of the pods +selector):\n%s", what, diff)
		}
	}
	for _, port := range policy.Spec.Ingress[0].Ports {
		isPort := func(p corev1.ContainerPort) bool { return p.Name == port.Port.StrVal }
		if !slices.ContainsFunc(deployment.Spec.Template.Spec.Containers[0].Ports, isPort) {
			t.Errorf("the NetworkPolicy lets through the port %s, which the pod does not have", port.Port)
		}
	}
}

// checkRestricted checks what the pod security standard "restricted" and a
// read-only root file system ask for.
func checkRestricted(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	container := pod.Containers[0]
	want := &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	if diff := cmp.Diff(want, container.SecurityContext); diff != "" {
		t.Errorf("security context of the container (-want +got):\n%s", diff)
	}
	if user := pod.SecurityContext.RunAsUser; user == nil || *user != 65532 {
		t.Errorf("user = %v, want 65532", user)
	}
	mounts := []corev1.VolumeMount{
		{Name: "config", MountPath: "/etc/caapb", ReadOnly: true}, {Name: "cache", MountPath: "/var/cache/caapb"},
	}
	if diff := cmp.Diff(mounts, container.VolumeMounts); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	if volume := pod.Volumes[0]; volume.EmptyDir == nil || volume.EmptyDir.SizeLimit.IsZero() {
		t.Errorf("volume of the cache = %v, want an emptyDir with a limit", volume)
	}
}

// A volume that is larger than its sizeLimit has the pod evicted: the manager's own limit
// is below it, as the file system does not know of it.
func TestTheCacheIsSmallerThanItsVolume(t *testing.T) {
	t.Parallel()
	var deployment appsv1.Deployment
	convert(t, ofKind(components(t), "Deployment")[0], &deployment)
	size := deployment.Spec.Template.Spec.Volumes[0].EmptyDir.SizeLimit.Value()
	if limit := app.DefaultOptions().Cache.MaxBytes; limit <= 0 || limit > size/5*4 {
		t.Errorf("want --cache-max-bytes to be at most four fifths of %d bytes, got %d", size, limit)
	}
}

func TestVariablesAreOurs(t *testing.T) {
	t.Parallel()
	want := []string{"${CAAPB_DIAGNOSTICS_ADDRESS:=:8443}", "${CAAPB_INSECURE_DIAGNOSTICS:=false}"}
	got := regexp.MustCompile(`\$\{[^}]*\}?`).FindAllString(string(built(t, "default")), -1)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables that clusterctl replaces (-want +got):\n%s", diff)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "metadata.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var metadata clusterctlv1.Metadata
	if err := yaml.UnmarshalStrict(text, &metadata); err != nil {
		t.Fatal(err)
	}
	if series := metadata.GetReleaseSeriesForContract("v1beta2"); series == nil || series.Major != 0 || series.Minor != 1 {
		t.Errorf("release series of contract v1beta2 = %v, want 0.1", series)
	}
}

func TestSamplesAreAccepted(t *testing.T) {
	t.Parallel()
	samples := objects(t, "samples")
	m := testenv.SharedManagement(t)
	in := testenv.NewNamespace(t, m.APIServer)
	strict := client.WithFieldValidation(m.Client, "Strict")
	for _, object := range samples {
		object.SetNamespace(in)
		if err := strict.Create(t.Context(), &object); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	var set v1alpha1.ClusterBundleSet
	convert(t, ofKind(samples, "ClusterBundleSet")[0], &set)
	if bundle := ofKind(samples, "Bundle")[0].GetName(); set.Spec.Bundle.Name != bundle {
		t.Errorf("the set is about bundle %s, want %s", set.Spec.Bundle.Name, bundle)
	}
}

// components returns the objects that clusterctl installs.
func components(t *testing.T) []unstructured.Unstructured {
	t.Helper()
	return objects(t, "default")
}

func objects(t *testing.T, folder string) []unstructured.Unstructured {
	t.Helper()
	var found []unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(built(t, folder)), 4096)
	for {
		var object unstructured.Unstructured
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, object)
	}
	if len(found) == 0 {
		t.Fatalf("%s holds nothing", folder)
	}
	return found
}

// built returns what kustomize builds from a folder.
func built(t *testing.T, folder string) []byte {
	t.Helper()
	kustomize, err := filepath.Abs(filepath.Join("..", "bin", "kustomize"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kustomize); errors.Is(err, fs.ErrNotExist) {
		t.Skip("bin/kustomize is missing: make test builds it")
	}
	cmd := exec.CommandContext(t.Context(), kustomize, "build", folder)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kustomize build %s: %v: %s", folder, err, stderr.String())
	}
	return out
}

func ofKind(all []unstructured.Unstructured, kinds ...string) []unstructured.Unstructured {
	var found []unstructured.Unstructured
	for _, object := range all {
		if slices.Contains(kinds, object.GetKind()) {
			found = append(found, object)
		}
	}
	return found
}

func names(all []unstructured.Unstructured) []string {
	var found []string
	for _, object := range all {
		found = append(found, object.GetName())
	}
	return found
}

// convert decodes an object into its type, and fails on fields that the type lacks.
func convert(t *testing.T, from unstructured.Unstructured, to any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(from.Object, to, true); err != nil {
		t.Fatalf("%s %s: %v", from.GetKind(), from.GetName(), err)
	}
}
