package testenv

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Kubectl runs kubectl, of the version of the control plane, as the administrator of
// the API server, and returns what it printed. input is what it reads from "-". Its
// alpha commands are enabled: those of ApplySets.
func (s *APIServer) Kubectl(ctx context.Context, input string, args ...string) (string, error) {
	path, err := binary("kubectl")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"--kubeconfig=" + s.KubeconfigPath()}, args...)...)
	// The cache of discovery goes with the files of the API server.
	cmd.Env = append(os.Environ(), "KUBECTL_APPLYSET=true", "KUBECACHEDIR="+s.file("kubectl"))
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}
