// Package child has work done on what strangers wrote, such as the templates of a chart,
// in a child process of this program. What goes wrong there harms nobody else: a stack
// that overflows, memory that runs out, a loop without end.
//
//	Task.Run -> slot -> this program, started anew -> Main: confine -> Task.Do
//	   request, body ──────────── stdin ───────────────> │
//	   answer, output <────────── stdout ────────────────┘
//
// The child has no environment, no network, no files but its pipes, and starts no program;
// Linux refuses it all that with seccomp, and kills it when this process ends. Its memory,
// its time and what it writes are bounded. What it prints when it crashes is not repeated:
// it may hold a value. On other systems, where this program is only developed, a child
// has the bounds of the Go runtime and no filter.
package child
