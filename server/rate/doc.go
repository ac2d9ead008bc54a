// Package rate limits how often something may be done: by one subject, or by each of very many.
//
// All of it is the generic cell rate algorithm (ITU-T I.371): a token bucket whose only state is
// the time at which the bucket will be full again. So a subject costs 8 bytes, a decision takes
// no timer, and a subject whose time has passed need not be remembered.
//
// Times are those of a monotonic clock, so that setting the wall clock has no effect. The package
// knows nothing of connections or messages.
package rate
