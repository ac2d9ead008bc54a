// Package report shows results: as text for a terminal, and as one HTML page
// that needs nothing else, with pictures of what happened.
//
// It decides nothing: the result says what was wrong with a run.
package report
