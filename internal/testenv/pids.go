package testenv

// PID returns the process of kube-apiserver, which is another one after StartAPIServer.
func (s *APIServer) PID() int { return s.server.pid }

// EtcdPID returns the process of the API server's etcd.
func (s *APIServer) EtcdPID() int { return s.etcd.pid }

// CAPIPID returns the process of Cluster API's core controllers, after StartCAPI.
func (m *Management) CAPIPID() int { return m.capi.pid }

// PID returns the process of the manager.
func (m *Manager) PID() int { return m.process.pid }

// Program returns the path of a program of the control plane, or what has to be done to
// have it.
func Program(name string) (string, error) { return binary(name) }
