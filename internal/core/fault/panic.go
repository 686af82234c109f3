package fault

import (
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

const (
	// maxFrames is how many calls the message of a panic names.
	maxFrames = 5
	// maxStack is how many calls are looked at for them.
	maxStack = 32
)

// Guard calls do and returns a panic of it as an error: a Retry with the reason
// InternalError that names the places of the innermost calls. What the panic was called
// with is not repeated: it may hold a value of a Secret. Every goroutine of the manager
// that works on what comes from elsewhere runs in it; controller-runtime does the same
// for reconcilers. A fault of the runtime, such as a full stack, cannot be caught.
func Guard(do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = Retry(v1alpha1.InternalErrorReason,
				fmt.Errorf("the provider has a bug, please report it: a panic at %s", panicPlaces()))
		}
	}()
	return do()
}

// panicPlaces returns the places of the innermost calls, as in "a.go:12, b.go:30". It is
// called by what is deferred.
func panicPlaces() string {
	callers := make([]uintptr, maxStack)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	var places []string
	panicked := false
	for len(places) < maxFrames {
		frame, more := frames.Next()
		isRuntime := strings.HasPrefix(frame.Function, "runtime.")
		if panicked && !isRuntime {
			places = append(places, fmt.Sprintf("%s:%d", path.Base(frame.File), frame.Line))
		}
		panicked = panicked || frame.Function == "runtime.gopanic"
		if !more {
			break
		}
	}
	return strings.Join(places, ", ")
}
