// Package sequence tells, from the numbers in which messages arrive, which of
// them were lost, doubled or out of order.
//
// It knows nothing about what the messages are or when they arrive.
package sequence
