// Package result is what a run came to: the form that is kept in a file, what
// can be asked of it (conditions such as p99<10ms), and how two are compared.
//
// It knows nothing about how a run is made, or how a page or a screen looks.
package result
