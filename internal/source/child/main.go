package child

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
)

// argument is the first one of a child. It is no command for people.
const argument = "render"

// exitInternal is the exit code of a child that cannot do its work, whatever it was given:
// none that the Go runtime has.
const exitInternal = 3

// maxRequest bounds the line with the request, in bytes: the values of a chart are in it.
const maxRequest = 64 << 20

// Main does the work of a child process and ends it, if this process is one. Otherwise it
// returns at once. It comes first in the main function of a program: what a child does
// before is not confined.
func Main(programs ...Program) {
	if len(os.Args) != 5 || os.Args[1] != argument {
		return
	}
	memory, errMemory := strconv.ParseInt(os.Args[3], 10, 64)
	seconds, errSeconds := strconv.ParseUint(os.Args[4], 10, 32)
	if err := errors.Join(errMemory, errSeconds, confine(memory, seconds)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitInternal)
	}
	if err := work(os.Args[2], programs, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitInternal)
	}
	syscall.Exit(0) // os.Exit would wait for a second with the race detector
}

// confine takes from this process what it does not need.
func confine(memory int64, seconds uint64) error {
	// What the libraries write is not for the log: it may hold values.
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	runtime.GOMAXPROCS(1)
	// Below the limit of the system, so that the garbage is collected first.
	debug.SetMemoryLimit(memory - memory/8)
	// A crash that says so comes long before the memory is used up.
	debug.SetMaxStack(int(memory / 8))
	return confineSystem(memory, seconds)
}

// work does a task.
func work(task string, programs []Program, stdin io.Reader, stdout io.Writer) error {
	i := slices.IndexFunc(programs, func(p Program) bool { return p.name() == task })
	if i < 0 {
		return errors.New("no task of this name")
	}
	in := bufio.NewReader(stdin)
	request, err := readLine(in, maxRequest)
	if err != nil {
		return err
	}
	var output bytes.Buffer
	out, err := programs[i].do(request, in, &output)
	if err := json.NewEncoder(stdout).Encode(answer{Out: out, Error: failureOf(err)}); err != nil {
		return err
	}
	if err != nil {
		return nil
	}
	_, err = output.WriteTo(stdout)
	return err
}
