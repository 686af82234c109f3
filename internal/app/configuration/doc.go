// Package configuration reads the file that configures a manager while it runs, and reads
// it again when it changes:
//
//	file ─ twice the same ─> decode, strictly ─> check all of it ─> Settings ─> who uses them
//	                              └─ wrong: what held still holds, and that is reported
//
// It is complete before any of it takes effect. A file that is wrong at the start ends the
// manager: there is nothing yet that could still hold, and the defaults may allow what the
// file was to forbid.
package configuration
