//go:build !unix

package outfile

// accessible: only opening it would tell.
func accessible(string) error { return nil }
