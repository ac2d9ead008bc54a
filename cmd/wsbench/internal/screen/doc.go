// Package screen shows how a run goes on: one line that is drawn again and again
// on a terminal, one line after the other elsewhere.
package screen
