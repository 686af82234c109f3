package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup is a copy of what etcd held at one moment.
type Backup struct{ dir string }

// Backup copies what etcd holds. The API server is stopped meanwhile, as by
// StopAPIServer. The copy goes with Stop.
func (s *APIServer) Backup(ctx context.Context) (Backup, error) {
	dir, err := os.MkdirTemp(s.dir, "backup-")
	if err != nil {
		return Backup{}, err
	}
	backup := Backup{dir: dir}
	return backup, s.whileStopped(ctx, func() error { return os.CopyFS(backup.dir, os.DirFS(s.etcdDir())) })
}

// Restore has etcd hold again what it held at the time of the Backup: objects,
// resource versions and all. The API server is restarted at the same address, with
// the same certificates.
func (s *APIServer) Restore(ctx context.Context, from Backup) error {
	return s.whileStopped(ctx, func() error {
		if err := os.RemoveAll(s.etcdDir()); err != nil {
			return err
		}
		return os.CopyFS(s.etcdDir(), os.DirFS(from.dir))
	})
}

func (s *APIServer) etcdDir() string { return filepath.Join(s.dir, "etcd") }

// whileStopped does something while neither etcd nor the API server runs, and
// starts both again.
func (s *APIServer) whileStopped(ctx context.Context, do func() error) error {
	s.StopAPIServer()
	s.etcd.stop()
	if err := errors.Join(do(), os.Chmod(s.etcdDir(), 0o700)); err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	if err := s.startEtcd(ctx); err != nil {
		return err
	}
	return s.StartAPIServer(ctx)
}
