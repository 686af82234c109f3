// Package app puts the program together, once for the manager, the benchmarks and
// every other program that runs the controllers: caches, store, sources, library,
// connections, controllers.
//
//	Options -> Run -> manager: caches, connections
//	               -> library: store, fetch, registries, resolver
//	               -> controllers: bundle, placement, clusterbundleset, clusterbundle
//
// It decides nothing: what is wired here is made elsewhere.
package app
