// Package library joins source, store, manifest and plan: it turns a release of
// the API into a Bundle whose objects can be read one by one from disk.
//
// Nothing in it blocks a reconciler: Library.Open returns what is there and
// starts what is missing, each digest once however many ask for it, and tells
// those who asked when there is news. No byte is decoded before it is committed
// under its digest.
//
//	Source -> source.Open -> store.Commit -> manifest.Objects -> store.Derive (objects, index)
//	                                                    indices -> plan.New -> Bundle
package library
