package doorbell

import (
	"context"

	"github.com/hawser-ws/hawser/chat"
)

// Source reads what is stored. Every method returns soon after its context ends. Later calls
// must see everything that earlier calls have returned, so a replica that lags is not a Source.
type Source interface {
	// Tails calls each once for each conversation, with its tail or why it cannot be read. The
	// tail of one that does not exist has no change, and the epoch in which it would begin.
	Tails(ctx context.Context, cs []chat.Conversation, each func(i int, t chat.Tail, err error))

	// Changes is that of chat.Log. If the oldest changes are no longer stored, it returns what
	// there is, and the numbers say that some have gone.
	Changes(ctx context.Context, c chat.Conversation, after uint64, limit int) (changes []chat.Change, more bool, err error)

	// Check returns the tail of a conversation, for a node at a position that what is stored does
	// not seem to continue. If the change at the position is not stored, and neither was it
	// dropped as an old one, the numbers from there on may have been given out twice, by a store
	// that has lost its last changes. Then a new epoch begins first, and the tail is in that one.
	// So it does if the store has lost the epoch of the position and is in an earlier one: no
	// receiver is led back. The epoch of the tail is as safe as anything that is stored: if the
	// store cannot say so at the moment, that is an error.
	Check(ctx context.Context, c chat.Conversation, at chat.Tail) (chat.Tail, error)

	// Later reports whether one epoch of a conversation is later than another, as far as that can be
	// told. Nothing is later than itself, and anything that can be told is later than "".
	Later(epoch, other string) bool

	// Hints reads at most limit hints of a user, in order, after the one with this number.
	// A hint may go when it is older than Config.HintLife.
	Hints(ctx context.Context, userID string, after uint64, limit int) (hints []Hint, more bool, err error)

	// Recent are the hints of a user that are not older than Config.HintLife, of each
	// conversation at least the oldest of them, and the number of the newest hint; 0 if there
	// never was one.
	Recent(ctx context.Context, userID string) (hints []Hint, last uint64, err error)

	// LastHints calls each once for each user, with the number of their newest hint.
	LastHints(ctx context.Context, userIDs []string, each func(i int, last uint64, err error))
}

// Hint says that a private conversation may have changes after a position.
type Hint struct {
	Number       uint64 // higher than those before it
	Before       uint64 // the number of the hint before; 0 for the first. So it is seen that hints were lost
	Conversation chat.Conversation
	Tail         chat.Tail // before the append; only Change and Epoch matter
}
