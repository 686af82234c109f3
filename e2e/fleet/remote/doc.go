// Package remote runs the simulator as a process of its own, so that what it takes of
// processors and memory is not that of whom it is measured with:
//
//	fleet: Start ── program "simulator" ── Serve: simulator.Fleet, watched by an observer
//	         └──────── Unix socket ─────────┘  counts, times, a recording, silence
//
// Nothing is polled: the observer notes when the first request and each watch came, and Await
// returns as soon as all of them did.
package remote
