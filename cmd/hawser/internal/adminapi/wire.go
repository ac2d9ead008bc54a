package adminapi

import (
	"github.com/hawser-ws/hawser/chat"
)

// BanRequest asks for a ban.
type BanRequest struct {
	Subject string `json:"subject"`          // as chat.ParseBanSubject reads it
	Reason  string `json:"reason"`           // for people
	ForMS   int64  `json:"for_ms,omitempty"` // 0: until it is lifted
}

// BanAnswer describes the ban that is now in force.
type BanAnswer struct {
	Subject  string   `json:"subject"`
	Ban      chat.Ban `json:"ban"`
	Warnings []string `json:"warnings,omitempty"`
}

// UnbanAnswer says whose ban was lifted.
type UnbanAnswer struct {
	Subject string `json:"subject"`
}

// BansAnswer is a page of the bans in force, in byte order of their subjects.
type BansAnswer struct {
	Bans []chat.Ban `json:"bans"`
	Next string     `json:"next,omitempty"` // the after of the next page; "": there is none
}

// KickRequest asks to end all sessions of a user.
type KickRequest struct {
	User   string `json:"user"`
	Reason string `json:"reason,omitempty"`
}

// KickAnswer says how many sessions have ended.
type KickAnswer struct {
	User     string `json:"user"`
	Sessions int    `json:"sessions"`
}

// Limit is a limit of this server, and what it has done since the process started.
type Limit struct {
	Setting string `json:"setting"`
	Value   string `json:"value"` // as in a configuration file
	Refused uint64 `json:"refused"`
	Delayed uint64 `json:"delayed"`           // what had to wait
	Counter string `json:"counter,omitempty"` // the metric that counts it; "": nothing does
}

// LimitsAnswer lists the limits.
type LimitsAnswer struct {
	Limits []Limit `json:"limits"`
}

// Error is an answer that is an error.
type Error struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }
