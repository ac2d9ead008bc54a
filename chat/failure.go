package chat

import (
	"strconv"
	"time"
)

// Failure is an error message to a client: PROTOCOL.md, "error".
type Failure struct {
	Code       int    // as in HTTP
	Reason     string // for programs, stable
	Message    string // for people
	Field      string // at fault; "" if none is
	RetryAfter time.Duration
	Limit      Limit // that was reached; NoLimit if none was
}

func (f *Failure) Error() string { return f.Reason + ": " + f.Message }

// AppendJSON appends f as an error message that answers the message with this
// ref; "" for none.
func (f *Failure) AppendJSON(dst []byte, ref string) []byte {
	dst = append(dst, `{"type":"error","code":`...)
	dst = strconv.AppendInt(dst, int64(f.Code), 10)
	dst = appendStringField(dst, "reason", f.Reason)
	dst = appendStringField(dst, "message", f.Message)
	if f.Field != "" {
		dst = appendStringField(dst, "field", f.Field)
	}
	if f.RetryAfter > 0 {
		// Rounded up: a client that waits this long must not be refused again.
		dst = appendIntField(dst, "retry_after_ms", int64((f.RetryAfter+time.Millisecond-1)/time.Millisecond))
	}
	return appendRefAndClose(dst, ref)
}

// counts reports whether f counts towards a connection's limit of errors. A name that does
// not exist is not the client's fault, and neither is a problem of ours. An operation over a
// limit costs us little, and others may have used up the limit.
func (f *Failure) counts() bool {
	switch f.Code {
	case 400, 403, 409:
		return true
	}
	return false
}

// The failures that are always the same. Those that quote the request are made where they
// occur.
var (
	failAuthRequired   = &Failure{Code: 401, Reason: "auth_required", Message: "the first message must be auth"}
	failAuthTimeout    = &Failure{Code: 401, Reason: "auth_timeout", Message: "auth did not arrive in time"}
	failTokenRefused   = &Failure{Code: 401, Reason: "token_refused", Message: "the token is not valid here", Field: "token"}
	failTokenExpired   = &Failure{Code: 401, Reason: "token_expired", Message: "the token has expired", Field: "token"}
	failCertificate    = &Failure{Code: 403, Reason: "certificate_mismatch", Message: "the token is not that of the user in the client certificate", Field: "token"}
	failSessionRefused = &Failure{Code: 401, Reason: "session_refused", Message: "there is no such session, or resume_key is not its key; authenticate with a token", Field: "resume_key"}
	failUnknownSession = &Failure{Code: 404, Reason: "unknown_session", Message: "you have no such session", Field: "session_id"}
	failSessionEnded   = &Failure{Code: 401, Reason: "session_ended", Message: "the session has ended; authenticate with a token"}
	failUserDeleted    = &Failure{Code: 403, Reason: "user_deleted", Message: "this user was deleted"}
	failBanned         = &Failure{Code: 403, Reason: "banned", Message: "this user is banned"}
	failBannedNetwork  = &Failure{Code: 403, Reason: "banned", Message: "the network from which you connect is banned"}
	failSender         = &Failure{Code: 403, Reason: "sender_mismatch", Message: "sender_id is not the user of this connection", Field: "sender_id"}
	failUnknownUser    = &Failure{Code: 404, Reason: "unknown_user", Message: "there is no such user", Field: "receiver_id"}
	failUnknownRoom    = &Failure{Code: 404, Reason: "unknown_room", Message: "there is no such room", Field: "receiver_id"}
	failUnknownID      = &Failure{Code: 404, Reason: "unknown_id", Message: "there is no such message in this conversation", Field: "id"}
	failAuthTwice      = &Failure{Code: 409, Reason: "already_authenticated", Message: "the connection is authenticated already", Field: "type"}
	failTooManyRooms   = &Failure{Code: 429, Reason: "too_many_rooms", Message: "this connection is in as many rooms as it may be; leave one first", Field: "receiver_id", Limit: JoinedRoomsLimit}
	failConnections    = &Failure{Code: 429, Reason: "too_many_connections", Message: "this user has as many connections as is allowed; close one first", Limit: UserConnectionsLimit, RetryAfter: 5 * time.Second}
	failStore          = &Failure{Code: 503, Reason: "store_unavailable", Message: "the message store does not work at the moment"}
	// The sync failed: what it should have written may be on disk or not.
	failUnknownOutcome = &Failure{Code: 503, Reason: "outcome_unknown", Message: "it is not known whether the message was stored; send it again with the same ref"}
	failOverloaded     = &Failure{Code: 503, Reason: "overloaded", Message: "the server is overloaded; try again later", RetryAfter: time.Second}
	failShuttingDown   = &Failure{Code: 503, Reason: "shutting_down", Message: "the server is shutting down"}
	failBadRoom        = &Failure{Code: 400, Reason: "bad_room", Message: "a room name has 1 to 64 of A-Z a-z 0-9 _ - . and does not begin with u_", Field: "receiver_id"}
	failBinaryMessage  = &Failure{Code: 400, Reason: "binary_message", Message: "messages are JSON in text messages"}
)

// The reasons in Close frames where no error message gives one.
const (
	reasonTooManyErrors = "too_many_errors"
	reasonQueueIgnored  = "too_many_waiting"
)
