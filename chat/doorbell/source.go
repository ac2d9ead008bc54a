package doorbell

import (
	"context"

	"github.com/hawser-ws/hawser/chat"
)

// Source reads what is stored. Every method returns soon after its context ends. Later calls
// must see everything that earlier calls have returned, so a replica that lags is not a Source.
type Source interface {
	// Tails calls each once for each conversation, with its tail or the reason why it cannot be
	// read. The tail of one that does not exist has no change, and the epoch that it would begin
	// in.
	Tails(ctx context.Context, cs []chat.Conversation, each func(i int, t chat.Tail, err error))

	// Changes is the method of chat.Log. If the oldest changes are no longer stored, it returns the
	// others, and the numbers show that some are gone.
	Changes(ctx context.Context, c chat.Conversation, after uint64, limit int) (changes []chat.Change, more bool, err error)

	// Check returns the tail of a conversation, for a node whose position the stored changes do not
	// seem to continue. If the change at the position is not stored, and was not dropped because of
	// its age, the store may have lost its last changes and assigned the numbers from there on
	// twice. Then a new epoch begins first, and the tail is in that one. The same happens if the
	// store has lost the epoch of the position and is in an earlier one: no receiver is moved back.
	// The epoch of the tail is as safe as any stored data: if the store cannot guarantee that at
	// the moment, Check returns an error.
	Check(ctx context.Context, c chat.Conversation, at chat.Tail) (chat.Tail, error)

	// Later reports whether one epoch of a conversation is later than another, as far as that is
	// known. No epoch is later than itself, and every known epoch is later than "".
	Later(epoch, other string) bool

	// Hints reads at most limit hints of a user, in order, after the one with this number.
	// A hint may be deleted when it is older than Config.HintLife.
	Hints(ctx context.Context, userID string, after uint64, limit int) (hints []Hint, more bool, err error)

	// Recent returns the hints of a user that are not older than Config.HintLife, at least the
	// oldest one for each conversation, and the number of the newest hint; 0 if there never was
	// one.
	Recent(ctx context.Context, userID string) (hints []Hint, last uint64, err error)

	// LastHints calls each once for each user, with the number of their newest hint.
	LastHints(ctx context.Context, userIDs []string, each func(i int, last uint64, err error))
}

// Hint says that a private conversation may have changes after a position.
type Hint struct {
	Number       uint64 // higher than those before it
	Before       uint64 // the number of the previous hint, which reveals lost ones; 0 for the first
	Conversation chat.Conversation
	Tail         chat.Tail // before the append; only Change and Epoch matter
}
