// Package kustomize builds kustomizations as "kubectl apply -k" does, with the
// library of the same version.
//
//	files of an archive -> sandbox -> kustomize's library -> YAML of all objects
//	                         |
//	    each kustomization, before it is used: no URL, plug-in or chart;
//	    each file: aliases that do not end; how much is read
//
// The archive is the whole file system. Nothing is fetched: a base or a resource with
// a URL is refused before the library sees it, since the library would fetch it. No
// program is run, and no plug-in: generators, transformers and validators are refused,
// and so are Helm charts, for which there is a source of its own. Nothing of the
// environment is read.
//
// Bytes in, bytes out: Build can move into a process of its own, which would bound
// memory and time too. Until then the size of what is read and written is bounded,
// and one kustomization is built at a time, because the library has its schema in a
// global variable.
package kustomize
