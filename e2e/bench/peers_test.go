package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// releaseOf returns a release of one file.
func releaseOf(t *testing.T, content string) *Release {
	t.Helper()
	file := filepath.Join(t.TempDir(), "objects.yaml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Release{Bundle: "test", Version: "1.0.0", Phases: []Phase{{Name: "all", Files: []string{file}}}}
}

func TestHelmCannotCarryWhatItsReleaseCannotHold(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	noise := make([]byte, 1<<20) // of which nothing is left out by compression
	_, _ = random.Read(noise)
	large := releaseOf(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: noise}\ndata: {x: %x}\n", noise))
	if why, err := fitsInRelease(large); err != nil || !strings.Contains(why, "over the limit of 1,048,576") {
		t.Errorf("large: %q, %v", why, err)
	}
	small := releaseOf(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: small}\n")
	if why, err := fitsInRelease(small); err != nil || why != "" {
		t.Errorf("small: %q, %v", why, err)
	}
}

func TestNobodyWaitsForTheCRDsOfAnUpgradeByHelm(t *testing.T) {
	objects, err := releaseOf(t, `apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.example.com}
`).Objects()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		way  Way
		kind StepKind
		want int
	}{
		{newHelm(), Upgrade, 1}, {newHelm(), Install, 2}, {newFlux(), Upgrade, 2}, {&kubectl{}, Upgrade, 2},
	} {
		if got := (sequence{way: c.way}).delivered(c.kind, objects); len(got) != c.want {
			t.Errorf("%s, %s: %d objects, not %d", c.way.Name(), c.kind, len(got), c.want)
		}
	}
}

func TestAPeerThatFailsIsShownUnlessTheRunIsInterrupted(t *testing.T) {
	cannot := (*Cannot)(nil)
	err := failed(t.Context(), errors.New("no room\nat all"))
	if !errors.As(err, &cannot) || cannot.Why != "it failed: no room" {
		t.Errorf("got %v", err)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if err := failed(interrupted, errors.New("no room")); errors.As(err, &cannot) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestTheVersionOfAProgramIsThatOfItsModule(t *testing.T) {
	program, err := testenv.Program(crsProgram)
	if err != nil {
		t.Skip(err)
	}
	for _, module := range []string{crsModule, "k8s.io/client-go"} {
		if got := versionIn(program, module); !strings.HasPrefix(got, "v") {
			t.Errorf("%s: %s", module, got)
		}
	}
	if got := versionIn(program, "example.com/none"); got != "of an unknown version" {
		t.Errorf("a module that it has not: %s", got)
	}
}
