package bolt

import (
	"cmp"
	"context"
	"sync"

	"github.com/tidwall/btree"

	"github.com/hawser-ws/hawser/chat"
)

// maxScan is how many rooms one call examines for a search.
const maxScan = 100_000

// recent holds the rooms, the last active ones first: on disk they are ordered by
// name, and an index there would cost each message two more writes.
type recent struct {
	mu    sync.RWMutex
	rooms *btree.BTreeG[chat.RoomInfo] // Guarded by mu.
}

func newRecent() *recent {
	return &recent{rooms: btree.NewBTreeGOptions(comesFirst, btree.Options{NoLocks: true})}
}

func comesFirst(a, b chat.RoomInfo) bool {
	return cmp.Or(cmp.Compare(b.ServerTS, a.ServerTS), cmp.Compare(a.Name, b.Name)) < 0
}

func (c conversation) info(room string) chat.RoomInfo {
	return chat.RoomInfo{Name: room, Seq: c.seq, ServerTS: c.serverTS}
}

// add adds a conversation, if it is a room with messages.
func (l *recent) add(name chat.Conversation, c conversation) {
	if room, ok := name.Room(); ok && c.seq > 0 {
		l.rooms.Set(c.info(room))
	}
}

// move puts the conversations that a transaction has changed into their new places.
func (l *recent) move(before map[chat.Conversation]conversation, now map[chat.Conversation]*fresh) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conv, c := range now {
		if name, ok := conv.Room(); ok && c.conversation != before[conv] {
			l.rooms.Delete(before[conv].info(name))
			l.add(conv, c.conversation)
		}
	}
}

// Rooms implements chat.Directory.
func (s *Store) Rooms(ctx context.Context, after chat.RoomPlace, search string, limit int) (rooms []chat.RoomInfo, next chat.RoomPlace, err error) {
	l := s.recent
	l.mu.RLock()
	defer l.mu.RUnlock()
	scanned := 0
	var last chat.RoomPlace
	each := func(r chat.RoomInfo) bool {
		if r.Name == after.Name && r.ServerTS == after.ServerTS {
			return true
		}
		if len(rooms) == limit || scanned == maxScan {
			next = last
			return false
		}
		scanned++
		last = chat.RoomPlace{ServerTS: r.ServerTS, Name: r.Name}
		if chat.MatchesSearch(r.Name, search) {
			rooms = append(rooms, r)
		}
		return true
	}
	if after == (chat.RoomPlace{}) {
		l.rooms.Scan(each)
	} else {
		l.rooms.Ascend(chat.RoomInfo{Name: after.Name, ServerTS: after.ServerTS}, each)
	}
	return rooms, next, ctx.Err()
}
