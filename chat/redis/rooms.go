package redis

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// The list of rooms is a sorted set whose scores are the negative times of the rooms' last
// messages, so that those with the same time are in the order of their names. It is one key, in
// a slot of its own. A room is put there after its message, with others, at most once in
// listEvery: a process that dies meanwhile leaves a room at an older place, or out of the list
// until its next message or until sweep passes.
const (
	listEvery = 500 * time.Millisecond

	// Looking for rooms whose names contain something stops after so many.
	maxRoomsScanned = 2000
	roomsPage       = 200
)

// listedPlace is a room's place in the list.
type listedPlace struct {
	change uint64
	ts     int64
}

// list notes that a room has a new message.
func (s *store) list(c chat.Conversation, ch *chat.Change) {
	room, ok := c.Room()
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listing[room].change < ch.Number {
		s.listing[room] = listedPlace{ch.Number, ch.ServerTS}
	}
}

// flushRooms puts rooms at their new places.
func (s *store) flushRooms(ctx context.Context) error {
	s.mu.Lock()
	pending := s.listing
	s.listing = make(map[string]listedPlace)
	s.mu.Unlock()
	if len(pending) == 0 {
		return nil
	}
	var cmds rueidis.Commands
	for rooms := range slices.Chunk(slices.Collect(maps.Keys(pending)), 500) {
		cmd := s.client.B().Zadd().Key(s.keys.rooms()).ScoreMember()
		for _, room := range rooms {
			cmd = cmd.ScoreMember(float64(-pending[room].ts), room)
		}
		cmds = append(cmds, cmd.Build())
	}
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		if err := r.Error(); err != nil {
			s.mu.Lock()
			for room, place := range pending {
				if s.listing[room].change < place.change {
					s.listing[room] = place
				}
			}
			s.mu.Unlock()
			return err
		}
	}
	return nil
}

// Rooms implements chat.Directory.
func (s *store) Rooms(ctx context.Context, after chat.RoomPlace, search string, limit int) (rooms []chat.RoomInfo, next chat.RoomPlace, err error) {
	if err := ctx.Err(); err != nil {
		return nil, next, err
	}
	if err := s.flushRooms(ctx); err != nil {
		return nil, next, err
	}
	place := after
	skip := int64(0) // among those with the time of place, which begin before it
	for scanned := 0; scanned < maxRoomsScanned; {
		from := "-inf"
		if place != (chat.RoomPlace{}) {
			from = strconv.FormatInt(-place.ServerTS, 10)
		}
		page, err := s.client.Do(ctx, s.client.B().Zrangebyscore().Key(s.keys.rooms()).Min(from).Max("+inf").Withscores().
			Limit(skip, roomsPage).Build()).AsZScores()
		if err != nil {
			return nil, next, err
		}
		for _, z := range page {
			at := chat.RoomPlace{ServerTS: int64(-z.Score), Name: z.Member}
			if at.ServerTS == place.ServerTS {
				skip++
			} else {
				skip = 1
			}
			if after != (chat.RoomPlace{}) && at.ServerTS == after.ServerTS && at.Name <= after.Name {
				continue
			}
			scanned++
			place.ServerTS = at.ServerTS
			if !chat.MatchesSearch(at.Name, search) {
				place = at
				continue
			}
			if len(rooms) == limit {
				last := rooms[limit-1]
				return s.complete(ctx, rooms, chat.RoomPlace{ServerTS: last.ServerTS, Name: last.Name})
			}
			place = at
			rooms = append(rooms, chat.RoomInfo{Name: at.Name, ServerTS: at.ServerTS})
		}
		if len(page) < roomsPage {
			return s.complete(ctx, rooms, next)
		}
	}
	return s.complete(ctx, rooms, place)
}

// complete adds what the list does not have. A room whose messages are lost is left out.
func (s *store) complete(ctx context.Context, rooms []chat.RoomInfo, next chat.RoomPlace) ([]chat.RoomInfo, chat.RoomPlace, error) {
	cs := make([]chat.Conversation, len(rooms))
	for i, r := range rooms {
		cs[i] = chat.RoomConversation(r.Name)
	}
	var failed error
	s.Tails(ctx, cs, func(i int, t chat.Tail, err error) {
		if rooms[i].Seq = t.Seq; err != nil {
			failed = err
		}
	})
	if failed != nil {
		return nil, chat.RoomPlace{}, failed
	}
	return slices.DeleteFunc(rooms, func(r chat.RoomInfo) bool { return r.Seq == 0 }), next, nil
}

// sweep puts the rooms of a partition into the list that are not there.
func (s *store) sweep(ctx context.Context, partition int) error {
	cursor := uint64(0)
	for {
		scan, err := s.client.Do(ctx, s.client.B().Hscan().Key(s.keys.tails(partition)).Cursor(cursor).Count(200).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		cmd := s.client.B().Zadd().Key(s.keys.rooms()).Nx().ScoreMember()
		found := false
		for i := 0; i+1 < len(scan.Elements); i += 2 {
			room, ok := chat.Conversation(scan.Elements[i]).Room()
			if t, err := parseTail(scan.Elements[i+1]); ok && err == nil && t.Seq > 0 {
				cmd, found = cmd.ScoreMember(float64(-t.ServerTS), room), true
			}
		}
		if found {
			if err := s.client.Do(ctx, cmd.Build()).Error(); err != nil {
				return err
			}
		}
		if cursor = scan.Cursor; cursor == 0 {
			return nil
		}
	}
}
