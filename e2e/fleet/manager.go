package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// manager is the process of this project's manager, as config/manager installs it.
type manager struct {
	*testenv.Manager

	profiles string
	settings string
	// stopping is true once the run stops it.
	stopping atomic.Bool
}

// errManagerEnded is the error of a step in which the manager ended by itself.
var errManagerEnded = errors.New("the manager ended by itself")

// watch calls ended when the manager ends by itself before ctx is done. It may be called
// on nil.
func (m *manager) watch(ctx context.Context, ended func(error)) {
	if m != nil {
		watch(ctx, m.Done(), &m.stopping, ended)
	}
}

func watch(ctx context.Context, done <-chan struct{}, stopping *atomic.Bool, ended func(error)) {
	select {
	case <-ctx.Done():
	case <-done:
		if !stopping.Load() {
			ended(errManagerEnded)
		}
	}
}

// set by the run itself: addresses, and a file that allows the loopback address.
var ownFlags = []string{"--config", "--diagnostics-address", "--insecure-diagnostics"}

// startManager starts the manager with the flags and variables of its Deployment.
func startManager(ctx context.Context, m *testenv.Management, cacheDir string) (*manager, error) {
	args, env, err := installed()
	if err != nil {
		return nil, err
	}
	profiles, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	started, err := testenv.StartManager(ctx, testenv.ManagerOptions{
		Management: m, CacheDir: cacheDir,
		Args: append(args, "--profiler-address="+profiles),
		Env:  append(env, "POD_NAMESPACE="+namespace),
	})
	if err != nil {
		return nil, err
	}
	return &manager{
		Manager: started, profiles: "http://" + profiles + "/debug/pprof/",
		settings: strings.Join(append(args, env...), " "),
	}, nil
}

// installed returns the flags and the variables with values of the manager's Deployment.
func installed() (args, env []string, err error) {
	root, err := testenv.Root()
	if err != nil {
		return nil, nil, err
	}
	content, err := os.ReadFile(filepath.Join(root, "config", "manager", "deployment.yaml")) //nolint:gosec // It is ours.
	if err != nil {
		return nil, nil, err
	}
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict(content, &deployment); err != nil {
		return nil, nil, fmt.Errorf("config/manager: %w", err)
	}
	containers := deployment.Spec.Template.Spec.Containers
	if len(containers) != 1 {
		return nil, nil, fmt.Errorf("config/manager has %d containers", len(containers))
	}
	for _, arg := range containers[0].Args {
		if !isOwn(arg) {
			args = append(args, arg)
		}
	}
	for _, v := range containers[0].Env {
		if v.Value != "" {
			env = append(env, v.Name+"="+v.Value)
		}
	}
	return args, env, nil
}

func isOwn(arg string) bool {
	name, _, _ := strings.Cut(arg, "=")
	return slices.Contains(ownFlags, name)
}

// freeAddress returns an address that nothing listens at.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// stop lets the manager end by itself, but not for long. It may be called on nil.
func (m *manager) stop() {
	if m == nil {
		return
	}
	m.stopping.Store(true)
	killer := time.AfterFunc(stopTime, m.Kill)
	defer killer.Stop()
	m.Stop()
}

// saveProfile writes a profile, such as heap?gc=1, to a file.
func (m *manager) saveProfile(ctx context.Context, profile, name string) error {
	content, err := get(ctx, m.profiles+profile)
	if err != nil {
		return fmt.Errorf("profile %s: %w", profile, err)
	}
	return os.WriteFile(name, content, 0o600)
}

// metrics returns the values of the metrics without labels.
func (m *manager) metrics(ctx context.Context) (map[string]float64, error) {
	content, err := get(ctx, m.MetricsURL())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(content)) {
		name, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || name == "#" || strings.Contains(name, "{") {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
		values[name] = value
	}
	return values, nil
}

// requestsTo returns how many requests the manager has sent to the host of a URL, as its own
// metric has it.
func (m *manager) requestsTo(ctx context.Context, server string) (int64, error) {
	content, err := get(ctx, m.MetricsURL())
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	return requestsTo(string(content), server)
}

func requestsTo(metrics, server string) (int64, error) {
	host := fmt.Sprintf("host=%q", strings.TrimPrefix(server, "https://"))
	total := int64(0)
	for line := range strings.Lines(metrics) {
		labels, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if !ok || !strings.HasPrefix(labels, "rest_client_requests_total{") || !strings.Contains(labels, host) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", labels, err)
		}
		total += int64(n)
	}
	if total == 0 {
		return 0, fmt.Errorf("the metrics have no request to %s", server)
	}
	return total, nil
}

// maxAnswer bounds what the manager answers: a heap profile has less.
const maxAnswer = 64 << 20

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, errors.New(resp.Status)
	case len(content) > maxAnswer:
		return nil, fmt.Errorf("more than %d bytes", maxAnswer)
	}
	return content, nil
}
