// Package pin keeps processes on chosen cores.
package pin
