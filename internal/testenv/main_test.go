package testenv

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// orphanVariable makes the test program one that starts a program, prints its
// PID and waits to be killed.
const orphanVariable = "TESTENV_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanVariable) != "" {
		p, err := startProgram("sleep", "/bin/sleep", "300")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = fmt.Fprintln(os.Stdout, p.pid) // The test that reads it notices.
		time.Sleep(5 * time.Minute)
	}
	Main(m)
}
