// Package config is the configuration of "hawser serve".
//
// Every setting is a flag, an environment variable and a key of a TOML file. One
// table (settings.go) declares each setting once; the names of flags and
// variables, the usage text, the decoding of files and the example file are
// derived from it. To add a setting, add a field to Config and a line to the
// table.
//
// The package reads nothing by itself: arguments, the environment and a function that reads
// files are passed in. About the packages that it configures it knows only how addresses,
// networks and names are written. Secrets belong in files of their own, or in the
// environment.
//
// Read config.go for the result, settings.go for the table, kind.go and list.go for how values
// are written, load.go for where they come from (environ.go reads variables, file.go decodes
// TOML), and describe.go for the texts.
package config
