// Package definition tells what a change of a CustomResourceDefinition would lose.
//
//	live definition, the one of a release -> Losses -> refuse, or make it anew
//
// The package is pure.
package definition
