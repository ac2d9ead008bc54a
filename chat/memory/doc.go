// Package memory is a chat engine that forgets everything when the process ends: for
// tests, and as the plainest example of what chat/enginetest asks of an engine.
package memory
