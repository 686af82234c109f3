package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// APIServer is a kube-apiserver with an etcd of its own on the loopback
// address. Its fields are for reading. Its methods may be called at any time,
// but those that start or stop it not at the same time.
type APIServer struct {
	// Config is the cluster administrator's, without a client-side rate limit.
	// Make another with ConfigFor.
	Config *rest.Config
	// Client is the administrator's. It reads without a cache and knows the kinds
	// of client-go, CRDs, Cluster API's core and add-ons, and this project.
	Client client.WithWatch

	dir        string
	port       *port
	authority  *authority
	kubeconfig []byte
	flags      []string
	etcd       *process
	server     *process
	// extras are the programs that work on this API server.
	extras []*process

	stopOnce sync.Once
}

// startAPIServer starts etcd and then kube-apiserver with the given flags beside
// the usual ones, and returns when it is ready and has its system namespaces.
func startAPIServer(ctx context.Context, flags ...string) (_ *APIServer, err error) {
	dir, err := os.MkdirTemp("", "caapb-testenv-")
	if err != nil {
		return nil, err
	}
	s := &APIServer{dir: dir}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	if s.port, err = reservePort(); err != nil {
		return nil, err
	}
	if err = s.login(); err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	if err = s.startEtcd(ctx); err != nil {
		return nil, err
	}
	if s.flags, err = s.writeFlags(flags); err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	if err = s.StartAPIServer(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// login makes the authority and what the administrator logs in with.
func (s *APIServer) login() (err error) {
	if s.authority, err = newAuthority(); err != nil {
		return err
	}
	if s.Config, err = s.ConfigFor("admin", "system:masters"); err != nil {
		return err
	}
	if s.kubeconfig, err = kubeconfigOf(s.Config); err != nil {
		return err
	}
	if err = os.WriteFile(s.KubeconfigPath(), s.kubeconfig, 0o600); err != nil {
		return err
	}
	s.Client, err = client.NewWithWatch(s.Config, client.Options{Scheme: Scheme()})
	return err
}

func (s *APIServer) etcdSocket() string { return filepath.Join(s.dir, "etcd.sock") }

func (s *APIServer) startEtcd(ctx context.Context) (err error) {
	s.etcd, err = startProcess("etcd",
		"--data-dir="+s.etcdDir(),
		"--listen-client-urls=unix://"+s.etcdSocket(),
		"--advertise-client-urls=http://127.0.0.1:1", // It refuses a socket; nobody reads it.
		"--listen-peer-urls=http://127.0.0.1:0",
		"--unsafe-no-fsync", // The data need not outlive the machine.
		"--log-level=warn",
	)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.etcdSocket())
	}}
	defer transport.CloseIdleConnections()
	etcd := &http.Client{Transport: transport}
	return s.etcd.waitReady(ctx, func(ctx context.Context) error {
		return getOK(ctx, etcd, "http://etcd/health")
	})
}

// writeFlags writes the certificates and returns the flags of kube-apiserver.
func (s *APIServer) writeFlags(extra []string) ([]string, error) {
	serving, err := s.authority.server()
	if err != nil {
		return nil, err
	}
	accounts, err := s.authority.user("service-accounts")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"ca.crt": s.authority.pem, "server.crt": serving.certificate, "server.key": serving.key,
		"accounts.crt": accounts.certificate, "accounts.key": accounts.key,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return append([]string{
		"--etcd-servers=unix://" + s.etcdSocket(),
		"--bind-address=127.0.0.1",
		"--secure-port=" + s.port.String(),
		"--permit-port-sharing=true",
		"--client-ca-file=" + s.file("ca.crt"),
		"--tls-cert-file=" + s.file("server.crt"),
		"--tls-private-key-file=" + s.file("server.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + s.file("accounts.crt"),
		"--service-account-signing-key-file=" + s.file("accounts.key"),
		"--service-cluster-ip-range=10.96.0.0/16",
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--endpoint-reconciler-type=none",
		"--profiling=false",
	}, extra...), nil
}

func (s *APIServer) file(name string) string { return filepath.Join(s.dir, name) }

// StartAPIServer starts kube-apiserver again after StopAPIServer: at the same
// address, with the same certificates and objects. It returns when it is ready.
func (s *APIServer) StartAPIServer(ctx context.Context) (err error) {
	if s.server != nil && !s.server.hasEnded() {
		return errors.New("kube-apiserver is running")
	}
	if s.server, err = startProcess("kube-apiserver", s.flags...); err != nil {
		return err
	}
	return s.server.waitReady(ctx, s.ready)
}

// StopAPIServer kills kube-apiserver at once: connections end in the middle
// of a response, and new ones are refused. Its etcd and its address remain.
func (s *APIServer) StopAPIServer() { s.server.stop() }

// ready also waits for the namespaces that the server itself makes: it reports
// ready shortly before it has made them.
func (s *APIServer) ready(ctx context.Context) error {
	transport, err := rest.HTTPClientFor(s.Config)
	if err != nil {
		return err
	}
	if err := getOK(ctx, transport, s.Config.Host+"/readyz"); err != nil {
		return err
	}
	for _, name := range []string{metav1.NamespaceDefault, metav1.NamespaceSystem} {
		if err := s.Client.Get(ctx, client.ObjectKey{Name: name}, &corev1.Namespace{}); err != nil {
			return err
		}
	}
	return nil
}

// NewNamespace makes a Namespace with a name that starts with prefix and that
// nothing else in this API server has, and returns the name. Without the
// controllers it cannot be deleted: use a new one for each test.
func (s *APIServer) NewNamespace(ctx context.Context, prefix string) (string, error) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}
	if err := s.Client.Create(ctx, ns); err != nil {
		return "", fmt.Errorf("namespace %s-: %w", prefix, err)
	}
	return ns.Name, nil
}

// Stop kills everything that was started for this API server and removes its
// folder. It may be called more than once.
func (s *APIServer) Stop() {
	s.stopOnce.Do(func() {
		for _, p := range s.extras {
			p.stop()
		}
		s.server.stop()
		s.etcd.stop()
		if s.port != nil {
			s.port.release()
		}
		_ = os.RemoveAll(s.dir)
	})
}

func getOK(ctx context.Context, c *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
