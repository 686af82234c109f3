package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestAPanicIsAnErrorThatNamesItsPlace(t *testing.T) {
	t.Parallel()
	tests := map[string]func() error{
		"a panic":             func() error { panic("password " + faulttest.Secret) },
		"an error of runtime": func() error { none := []int{}; return fmt.Errorf("%d", none[len(none)]) },
		"a nil pointer":       func() error { var none *fault.Error; return errors.New(none.Reason) },
	}
	for name, do := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := fault.Guard(do)
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.InternalErrorReason, "a panic at panic_test.go:", "please report it")
			if strings.Contains(err.Error(), "runtime") {
				t.Errorf("want no place of the runtime in %q", err)
			}
		})
	}
}

func TestWithoutAPanicTheErrorIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	want := errors.New("any")
	if got := fault.Guard(func() error { return want }); got != want { //nolint:errorlint // the same error
		t.Errorf("want %v, got %v", want, got)
	}
}
