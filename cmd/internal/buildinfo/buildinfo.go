// Package buildinfo says which version of a program is running.
package buildinfo

import "runtime/debug"

// Version returns the version of this program's module and, if it was built from a
// repository, the beginning of the commit.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return v
}
