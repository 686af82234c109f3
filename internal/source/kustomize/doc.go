// Package kustomize builds kustomizations as "kubectl apply -k" does, with the
// library of the same version.
//
//	BuildTask: archive -> files -> sandbox -> kustomize's library -> YAML of all objects
//	                                  |
//	     each kustomization, before it is used: no URL, plug-in or chart
//
// The archive is the whole file system. Nothing is fetched: a base or a resource with
// a URL is refused before the library sees it, since the library would fetch it. No
// program is run, and no plug-in: generators, transformers and validators are refused,
// and so are Helm charts, for which there is a source of its own.
//
// A child process builds one kustomization: aliases that do not end, and bases that name
// each other over and over, use up its memory or its time, and no others.
package kustomize
