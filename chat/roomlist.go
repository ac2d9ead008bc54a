package chat

import (
	"errors"
	"strconv"
	"strings"
)

// listRooms answers with the rooms that the store knows, the last active ones first, and
// after them those that somebody is in and where nothing was said yet.
func (h *Hub) listRooms(req *request) ([]byte, *Failure) {
	after, fail := h.roomPlace(req.after)
	if fail != nil {
		return nil, fail
	}
	limit := listLimit(req)
	var rooms []RoomInfo
	var next RoomPlace
	if after == (RoomPlace{}) || after.ServerTS > 0 {
		var err error
		if rooms, next, err = h.cfg.Store.Rooms(after, req.search, limit); err != nil {
			return nil, h.readFailed(err)
		}
		after = RoomPlace{}
	}
	if next == (RoomPlace{}) {
		rooms, next = h.appendUnused(rooms, after.Name, req.search, limit)
	}
	dst := []byte(`{"type":"rooms","rooms":[`)
	for i, r := range rooms {
		if i > 0 {
			dst = append(dst, ',')
		}
		h.mu.Lock()
		online := 0
		if known := h.rooms[r.Name]; known != nil {
			online = len(known.users)
		}
		h.mu.Unlock()
		dst = append(dst, `{"receiver_id":`...)
		dst = appendString(dst, r.Name)
		dst = appendTail(dst, r.Tail)
		dst = appendIntField(dst, "online", int64(online))
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	dst = appendBoolField(dst, "has_more", next != RoomPlace{})
	if next != (RoomPlace{}) {
		dst = appendStringField(dst, "next", strconv.FormatInt(next.ServerTS, 10)+":"+next.Name)
	}
	return appendRefAndClose(dst, req.ref), nil
}

// maxUnusedScan is how many unused rooms one request looks at for a search: the hub waits
// for it.
const maxUnusedScan = 5000

// appendUnused appends rooms without messages, by name, after the given one, up to limit
// rooms in all. next is where to go on if there are others, or may be.
func (h *Hub) appendUnused(rooms []RoomInfo, after, search string, limit int) (_ []RoomInfo, next RoomPlace) {
	place := RoomPlace{Name: after}
	if after == "" && len(rooms) > 0 {
		place = RoomPlace{ServerTS: rooms[len(rooms)-1].ServerTS, Name: rooms[len(rooms)-1].Name}
	}
	scanned := 0
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unused.Ascend(after, func(name string, _ *room) bool {
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

// MatchesSearch reports whether a room's name contains search, in upper or lower case.
func MatchesSearch(name, search string) bool {
	return strings.Contains(strings.ToLower(name), strings.ToLower(search))
}

// roomPlace reads after: a place that an earlier answer gave as next, or the name of a
// room.
func (h *Hub) roomPlace(after string) (RoomPlace, *Failure) {
	if after == "" {
		return RoomPlace{}, nil
	}
	if ts, name, ok := strings.Cut(after, ":"); ok {
		n, err := strconv.ParseInt(ts, 10, 64)
		if err != nil || n < 0 || !ValidRoom(name) {
			return RoomPlace{}, &Failure{Code: 400, Reason: "bad_place", Message: "after is neither next of an earlier answer nor a room", Field: "after"}
		}
		return RoomPlace{ServerTS: n, Name: name}, nil
	}
	tail, err := h.cfg.Store.Last(RoomConversation(after))
	switch {
	case err == nil || errors.Is(err, ErrNotFound): // one without messages stands at the end
		return RoomPlace{ServerTS: tail.ServerTS, Name: after}, nil
	}
	return RoomPlace{}, h.readFailed(err)
}
