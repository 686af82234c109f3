// Package library joins source, store, manifest and plan: it turns a release of
// the API into a Bundle whose objects can be read one by one from disk.
//
//	Library ─> resolutions ─> source     which parts a source has now
//	        │    └> kinds ─┐             which kinds a chart is told
//	        ─> releases    ─> plan       the plan of a release, kept in memory
//	             └> indexing ─> store    the objects and the index of a part
//
//	jobs: the background work of resolutions and of indexing, with its back-off
//
// Library.Open never waits: it returns what is there, starts what is missing, and
// notifies its callers when that ended. Each digest is downloaded once from a place
// and indexed once for a namespace, however many ask for it at once, and no byte is
// decoded before it is stored under its digest. What is done at once is shared out by
// namespace.
package library
