package bundle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
)

// openedWith returns an opened release of two objects with the given images.
func openedWith(images ...string) *library.Bundle {
	definition := plan.Object{Entry: manifest.Entry{CRD: &manifest.CRD{}}}
	workload := plan.Object{Entry: manifest.Entry{Images: images}}
	return &library.Bundle{Digest: "sha256:1", Bytes: 42, Plan: &plan.Plan{Phases: []plan.Phase{
		{Name: "crds", Steps: []plan.Step{{Objects: []plan.Object{definition}}}},
		{Name: "operator", Steps: []plan.Step{{Objects: []plan.Object{workload}}}},
	}}}
}

func manyImages(n int) []string {
	images := make([]string, n)
	for i := range images {
		images[i] = fmt.Sprintf("registry.example.com/%04d", i)
	}
	return images
}

func manySigners(n int) []string {
	signers := make([]string, n)
	for i := range signers {
		signers[i] = fmt.Sprintf("key %03d", i)
	}
	return signers
}

func signedBy(n int) *library.Bundle {
	b := openedWith()
	b.VerifiedBy = manySigners(n)
	return b
}

// madeOf returns an opened release of so many artifacts.
func madeOf(n int) *library.Bundle {
	b := openedWith()
	b.Artifacts = manyArtifacts(n)
	return b
}

func manyArtifacts(n int) []v1alpha1.ArtifactStatus {
	artifacts := make([]v1alpha1.ArtifactStatus, n)
	for i := range artifacts {
		artifacts[i] = v1alpha1.ArtifactStatus{Phase: "crds", Reference: "ghcr.io/a", Tag: fmt.Sprint(i), Digest: "sha256:1"}
	}
	return artifacts
}

func warned(warnings ...string) *library.Bundle {
	b := openedWith()
	b.Warnings = warnings
	return b
}

func TestStatusOfARelease(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2000)
	const most = 256
	tests := map[string]struct {
		givenExtra  []string
		givenOpened *library.Bundle
		givenErr    error
		want        v1alpha1.ReleaseStatus
	}{
		"one that is open is counted": {
			givenOpened: openedWith("b", "a"),
			want:        v1alpha1.ReleaseStatus{Objects: 2, CRDs: 1, Bytes: 42, Images: []string{"a", "b"}},
		},
		"one that is not says why": {
			givenErr: fault.Stall(v1alpha1.DigestMismatchReason, errors.New("other\nbytes")),
			want:     v1alpha1.ReleaseStatus{Message: "other bytes"},
		},
		"a long message is cut": {
			givenErr: errors.New(long), want: v1alpha1.ReleaseStatus{Message: long[:1021] + "…"},
		},
		"the images of the Bundle are listed among those of the pod templates": {
			givenExtra: []string{"c", "b", "a0"}, givenOpened: openedWith("b", "a"),
			want: v1alpha1.ReleaseStatus{Objects: 2, CRDs: 1, Bytes: 42, Images: []string{"a", "a0", "b", "c"}},
		},
		"the images of the Bundle are not listed before the release is open": {
			givenExtra: []string{"c"}, givenErr: errors.New("fetching"),
			want: v1alpha1.ReleaseStatus{Message: "fetching"},
		},
		"what should be looked at is listed": {
			givenOpened: warned("chart a: b", "c.yaml: d"),
			want: v1alpha1.ReleaseStatus{
				Objects: 2, CRDs: 1, Bytes: 42, Warnings: []string{"chart a: b", "c.yaml: d"},
			},
		},
		"what it is made of is listed": {
			givenOpened: madeOf(64),
			want:        v1alpha1.ReleaseStatus{Objects: 2, CRDs: 1, Bytes: 42, Artifacts: manyArtifacts(64)},
		},
		"more artifacts than the list holds": {
			givenOpened: madeOf(65),
			want: v1alpha1.ReleaseStatus{
				Objects: 2, CRDs: 1, Bytes: 42, Artifacts: manyArtifacts(64),
				Message: "the release is made of more artifacts than are listed here",
			},
		},
		"who signed is listed": {
			givenOpened: signedBy(2),
			want:        v1alpha1.ReleaseStatus{Objects: 2, CRDs: 1, Bytes: 42, VerifiedBy: manySigners(2)},
		},
		"more who signed than the list holds": {
			givenOpened: signedBy(65),
			want: v1alpha1.ReleaseStatus{
				Objects: 2, CRDs: 1, Bytes: 42, VerifiedBy: manySigners(64),
				Message: "the release is signed by more than are listed here",
			},
		},
		"as many images as the list holds": {
			givenOpened: openedWith(manyImages(most)...),
			want:        v1alpha1.ReleaseStatus{Objects: 2, CRDs: 1, Bytes: 42, Images: manyImages(most)},
		},
		"more images with those of the Bundle than the list holds": {
			givenExtra: []string{"registry.example.com/z"}, givenOpened: openedWith(manyImages(most)...),
			want: v1alpha1.ReleaseStatus{
				Objects: 2, CRDs: 1, Bytes: 42, Images: manyImages(most),
				Message: "the release names more images than are listed here",
			},
		},
		"more images than the list holds": {
			givenOpened: openedWith(manyImages(most + 1)...),
			want: v1alpha1.ReleaseStatus{
				Objects: 2, CRDs: 1, Bytes: 42, Images: manyImages(most),
				Message: "the release names more images than are listed here",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := v1alpha1.Release{Version: "1.2.3", ExtraImages: test.givenExtra}
			test.want.Version = given.Version
			if test.givenOpened != nil {
				test.want.Digest = test.givenOpened.Digest
			}
			if diff := cmp.Diff(test.want, statusOf(given, test.givenOpened, test.givenErr)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// shelf opens releases by their version; what is not there is an error.
type shelf struct {
	opened            map[string]*library.Bundle
	errs              map[string]error
	owners            []types.NamespacedName
	again             []types.NamespacedName
	forgot, abandoned []types.NamespacedName
}

func (s *shelf) IsMutable(v1alpha1.Release) bool { return false }

func (s *shelf) Invalidate(string, func(v1alpha1.Source) bool) {}

func (s *shelf) LookAgain(bundle types.NamespacedName) { s.again = append(s.again, bundle) }

func (s *shelf) Forget(bundle types.NamespacedName) { s.forgot = append(s.forgot, bundle) }

// Abandon notes that what is begun and not named any more was given up.
func (s *shelf) Abandon(bundle types.NamespacedName) { s.abandoned = append(s.abandoned, bundle) }

func (s *shelf) Open(owner types.NamespacedName, r v1alpha1.Release, _ string) (*library.Bundle, error) {
	s.owners = append(s.owners, owner)
	return s.opened[r.Version], s.errs[r.Version]
}

func TestAnAnnotationHasABundleLookedAtAgain(t *testing.T) {
	t.Parallel()
	bundle := func(annotations map[string]string) *v1alpha1.Bundle {
		b := &v1alpha1.Bundle{}
		b.Namespace, b.Name, b.Annotations = "team-a", "calico", annotations
		return b
	}
	tests := map[string]struct {
		before, after map[string]string
		want          bool
	}{
		"that is new":     {nil, map[string]string{v1alpha1.ReconcileAtAnnotation: "now"}, true},
		"that changed":    {map[string]string{v1alpha1.ReconcileAtAnnotation: "a"}, map[string]string{v1alpha1.ReconcileAtAnnotation: "b"}, true},
		"that stayed":     {map[string]string{v1alpha1.ReconcileAtAnnotation: "a"}, map[string]string{v1alpha1.ReconcileAtAnnotation: "a"}, false},
		"but not another": {nil, map[string]string{"other": "now"}, false},
	}
	for name, test := range tests {
		if got := askedAgain().Update(event.UpdateEvent{ObjectOld: bundle(test.before), ObjectNew: bundle(test.after)}); got != test.want {
			t.Errorf("%s: want %t, got %t", name, test.want, got)
		}
	}
	if askedAgain().Create(event.CreateEvent{Object: bundle(nil)}) {
		t.Error("want a Bundle that was just seen looked at as any other")
	}
	books := &shelf{}
	r := &Reconciler{Library: books}
	requests := r.lookAgain(t.Context(), bundle(nil))
	key := types.NamespacedName{Namespace: "team-a", Name: "calico"}
	if len(requests) != 1 || requests[0].NamespacedName != key || len(books.again) != 1 || books.again[0] != key {
		t.Errorf("want the Bundle looked at again, got %v, %v", requests, books.again)
	}
}

func TestAReleaseWithFindingsIsRefusedByTheValidationStrict(t *testing.T) {
	t.Parallel()
	found := openedWith("a")
	found.Findings, found.Warnings = []string{"b", "a"}, []string{"a", "b", "chart: c"}
	r := &Reconciler{Library: &shelf{opened: map[string]*library.Bundle{"1.0.0": found}}}
	for validation, want := range map[v1alpha1.Validation]string{
		v1alpha1.StrictValidation: "by the Bundle's validation Strict: a; b", v1alpha1.WarnValidation: "", "": "",
	} {
		statuses, err := r.open(types.NamespacedName{}, v1alpha1.BundleSpec{
			Releases: []v1alpha1.Release{{Version: "1.0.0"}}, Validation: validation,
		})
		if statuses[0].Message != want || !slices.Equal(statuses[0].Warnings, found.Warnings) {
			t.Errorf("%q: want the message %q beside the warnings, got %+v", validation, want, statuses[0])
		}
		if isStalled := fault.ReasonOf(err, "") == v1alpha1.ManifestInvalidReason && fault.ClassOf(err) == fault.ClassStall; isStalled != (want != "") {
			t.Errorf("%q: got %v", validation, err)
		}
	}
}

func TestEveryReleaseIsOpened(t *testing.T) {
	t.Parallel()
	books := &shelf{
		opened: map[string]*library.Bundle{"2.0.0": openedWith("a")},
		errs: map[string]error{
			"1.0.0": fault.Stall(v1alpha1.DigestMismatchReason, errors.New("other bytes")),
			"3.0.0": fault.Wait(v1alpha1.FetchingReason, 0, errors.New("2 of 3 sources")),
		},
	}
	owner := types.NamespacedName{Namespace: "default", Name: "calico"}
	r := &Reconciler{Library: books}
	statuses, err := r.open(owner, v1alpha1.BundleSpec{Releases: []v1alpha1.Release{
		{Version: "1.0.0"}, {Version: "2.0.0"}, {Version: "3.0.0"},
	}})
	if got := fault.ReasonOf(err, ""); fault.ClassOf(err) != fault.ClassStall || got != v1alpha1.DigestMismatchReason {
		t.Errorf("want it stalled by the digest, got %s, %v", got, err)
	}
	if want := "release 1.0.0: other bytes; release 3.0.0: 2 of 3 sources"; err.Error() != want {
		t.Errorf("want %q, got %q", want, err)
	}
	var got []string
	for _, status := range statuses {
		got = append(got, fmt.Sprintf("%s %d %s", status.Version, status.Objects, status.Message))
	}
	want := []string{"1.0.0 0 other bytes", "2.0.0 2 ", "3.0.0 0 2 of 3 sources"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if !slices.Equal(books.owners, []types.NamespacedName{owner, owner, owner}) {
		t.Errorf("want the Bundle as the owner of all, got %v", books.owners)
	}
}
