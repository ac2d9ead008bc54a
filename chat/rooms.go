package chat

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// opRooms lists the rooms: PROTOCOL.md, "rooms".
var opRooms = definition{
	name:  "rooms",
	read:  readRooms,
	check: checkSearch,
	run:   runRooms,
	pool:  poolQueries,
}

func readRooms(op *Operation, f *fields) {
	readList(op, f)
	op.search = f.str(fieldSearch)
}

func checkSearch(op *Operation, _ *Limits) *Failure {
	if len(op.search) > maxRoomName {
		return &Failure{Code: 400, Reason: "search_too_long", Field: "search",
			Message: fmt.Sprintf("search has %d bytes; %d are allowed", len(op.search), maxRoomName)}
	}
	return nil
}

func runRooms(ctx context.Context, h *Hub, a Actor, op *Operation) {
	answer, fail := h.listRooms(ctx, op)
	h.answer(a, op, answer, fail)
}

// listRooms answers with the rooms that have messages, the most recently active first,
// followed by the rooms that have none but that someone here is in.
func (h *Hub) listRooms(ctx context.Context, op *Operation) ([]byte, *Failure) {
	after, fail := h.roomPlace(ctx, op.after)
	if fail != nil {
		return nil, fail
	}
	limit := h.listSize(op)
	var rooms []RoomInfo
	var next RoomPlace
	if after == (RoomPlace{}) || after.ServerTS > 0 {
		var err error
		if rooms, next, err = h.engine.Directory.Rooms(ctx, after, op.search, limit); err != nil {
			return nil, h.engineFailed(err)
		}
		after = RoomPlace{}
	}
	if next == (RoomPlace{}) {
		rooms, next = h.appendUnused(rooms, after.Name, op.search, limit)
	}
	names := make([]string, len(rooms))
	for i := range rooms {
		names[i] = rooms[i].Name
	}
	online, err := h.engine.Presence.Counts(ctx, names)
	if err != nil {
		return nil, h.engineFailed(err)
	}
	dst := []byte(`{"type":"rooms","rooms":[`)
	for i, r := range rooms {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"receiver_id":`...)
		dst = appendString(dst, r.Name)
		dst = appendEnd(dst, r.Seq, r.ServerTS)
		dst = appendIntField(dst, "online", int64(online[i]))
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	dst = appendBoolField(dst, "has_more", next != RoomPlace{})
	if next != (RoomPlace{}) {
		dst = appendStringField(dst, "next", strconv.FormatInt(next.ServerTS, 10)+":"+next.Name)
	}
	return appendRefAndClose(dst, op.ref), nil
}

// maxUnusedScan is how many unused rooms one search looks at, because it holds a lock.
const maxUnusedScan = 5000

// appendUnused appends rooms without messages, in order of name, after the given one, up to
// limit rooms in all. next is where to go on if there are, or may be, more.
func (h *Hub) appendUnused(rooms []RoomInfo, after, search string, limit int) (_ []RoomInfo, next RoomPlace) {
	place := RoomPlace{Name: after}
	if after == "" && len(rooms) > 0 {
		place = RoomPlace{ServerTS: rooms[len(rooms)-1].ServerTS, Name: rooms[len(rooms)-1].Name}
	}
	scanned := 0
	h.unused.mu.Lock()
	defer h.unused.mu.Unlock()
	h.unused.names.Ascend(after, func(name string) bool {
		if name == after {
			return true
		}
		match := MatchesSearch(name, search)
		if scanned == maxUnusedScan || match && len(rooms) == limit {
			next = place
			return false
		}
		scanned++
		if match {
			rooms = append(rooms, RoomInfo{Name: name})
		}
		if len(rooms) < limit || match {
			place = RoomPlace{Name: name}
		}
		return true
	})
	return rooms, next
}

// MatchesSearch reports whether a room's name contains search, ignoring case.
func MatchesSearch(name, search string) bool {
	return strings.Contains(strings.ToLower(name), strings.ToLower(search))
}

// roomPlace parses the field after: the next of an earlier answer, or the name of a room.
func (h *Hub) roomPlace(ctx context.Context, after string) (RoomPlace, *Failure) {
	if after == "" {
		return RoomPlace{}, nil
	}
	if ts, name, ok := strings.Cut(after, ":"); ok {
		n, err := strconv.ParseInt(ts, 10, 64)
		if err != nil || n < 0 || !ValidRoom(name) {
			return RoomPlace{}, &Failure{Code: 400, Reason: "bad_place", Message: "after is neither the next of an earlier answer nor a room", Field: "after"}
		}
		return RoomPlace{ServerTS: n, Name: name}, nil
	}
	tail, err := h.engine.Log.Tail(ctx, RoomConversation(after))
	if err != nil {
		return RoomPlace{}, h.engineFailed(err)
	}
	return RoomPlace{ServerTS: tail.ServerTS, Name: after}, nil // rooms without messages are at the end
}
