// Package memory is a chat engine that forgets everything when the process ends. It is for
// tests, and is the simplest example of an engine that passes chat/enginetest.
package memory
