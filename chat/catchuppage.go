package chat

import (
	"context"
	"slices"
)

// read sends the next page of a conversation. over says that the conversation is live now.
func (u *catchUp) read(ctx context.Context, b *behind) (over bool, err error) {
	_, private, _ := b.in.Users()
	switch {
	case b.room == nil && private == "":
		u.send(u.hub.resumeAnswer("gone", b.receiver, nil))
		return true, nil
	case b.room == nil && (!b.begun || b.stale):
		if b.until, err = u.tail(ctx, b.in); err != nil {
			return false, err
		}
	}
	if !b.begun || b.stale {
		ok, err := u.canFollow(ctx, b)
		if err != nil {
			return false, err
		}
		if !ok {
			return u.reload(ctx, b)
		}
	}
	if b.begun && b.at >= b.until.Change {
		return u.goLive(ctx, b)
	}
	return u.page(ctx, b)
}

// canFollow reports whether what is stored follows what the client has, and is not too much.
func (u *catchUp) canFollow(ctx context.Context, b *behind) (bool, error) {
	end := b.until
	if b.room != nil && b.at > end.Change && b.epoch == end.Epoch {
		// Another node may have delivered what this one is yet to deliver.
		var err error
		if end, err = u.tail(ctx, b.in); err != nil {
			return false, err
		}
	}
	if !b.valid || b.epoch != end.Epoch || b.at > end.Change {
		return false, nil
	}
	if end.Change > b.at {
		missed := end.Change - b.at
		if missed > uint64(u.hub.cfg.Pages.Resume) || u.missed+int(missed) > u.hub.cfg.Pages.ResumeAll {
			return false, nil
		}
		b.missed = int(missed)
	}
	if b.begun {
		b.stale = false
		return true, nil
	}
	if b.holds(&end) {
		b.begun, b.last = true, end
	} else if b.at == end.Change {
		return false, nil
	}
	return true, nil
}

// page reads changes, and sends those that the client has not got. The first time, it compares
// the last one that the client has.
func (u *catchUp) page(ctx context.Context, b *behind) (over bool, err error) {
	after := b.at
	if !b.begun && after > 0 {
		after--
	}
	u.reads--
	changes, _, err := u.hub.engine.Log.Changes(ctx, b.in, after, u.hub.cfg.Pages.ResumePage)
	if err != nil {
		return false, err
	}
	if !b.begun && b.at > 0 {
		if len(changes) == 0 || changes[0].Number != b.at || changes[0].Tag != b.held.tag || changes[0].Epoch != b.epoch {
			return u.reload(ctx, b)
		}
		b.last = tailAt(&changes[0])
		changes = changes[1:]
	}
	b.begun = true
	if b.room != nil { // what comes after that is delivered, or was kept
		changes = slices.DeleteFunc(changes, func(ch Change) bool { return ch.Epoch == b.epoch && ch.Number > b.until.Change })
	}
	if len(changes) == 0 {
		if b.at < b.until.Change { // the history ends before a change that it had
			return u.reload(ctx, b)
		}
		return u.goLive(ctx, b)
	}
	dst := b.appendMissed(nil, changes)
	if dst == nil {
		return u.reload(ctx, b)
	}
	u.missed, b.missed = u.missed+b.missed, 0 // it does follow
	end := b.at >= b.until.Change
	dst = appendBoolField(dst, "has_more", !end)
	dst = appendIntField(dst, "server_ts", u.hub.now())
	u.send(append(dst, '}'))
	if end {
		return u.goLive(ctx, b)
	}
	return false, nil
}

// appendMissed encodes changes that follow what the client has. It returns nil if they do not
// follow, or cannot be read. Those for which there is no room are left out.
func (b *behind) appendMissed(dst []byte, changes []Change) []byte {
	dst = append(dst, `{"type":"resume","status":"missed"`...)
	dst = appendStringField(dst, "receiver_id", b.receiver)
	dst = append(dst, `,"messages":[`...)
	for i := range changes {
		ch := &changes[i]
		if ch.Damaged || ch.Epoch != b.epoch || ch.Number != b.at+1 {
			return nil
		}
		size := len(dst)
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendChange(dst, b.in, ch)
		if len(dst) > catchUpBytes && i > 0 {
			return append(dst[:size], ']')
		}
		b.at, b.last = ch.Number, tailAt(ch)
	}
	return append(dst, ']')
}

// goLive sends the kept changes that the client has not got, and lets it hear the
// conversation.
func (u *catchUp) goLive(ctx context.Context, b *behind) (over bool, err error) {
	s := u.hub.shard(b.in)
	s.mu.Lock()
	if b.cut {
		b.cut, b.stale = false, true
		if b.room != nil {
			b.until = b.room.tail
		}
		s.mu.Unlock()
		return false, nil
	}
	kept := slices.DeleteFunc(slices.Clone(b.kept), func(k keptChange) bool { return k.epoch == b.epoch && k.number <= b.at })
	for i, k := range kept {
		if k.epoch != b.epoch || k.number != b.at+1+uint64(i) {
			b.lost = true
		}
	}
	if b.lost {
		s.mu.Unlock()
		return u.reload(ctx, b)
	}
	u.sendKept(s, b, kept)
	s.mu.Unlock()
	return true, nil
}

// sendKept sends kept changes, and lets the connection hear the conversation: at once, or
// when this node has delivered what the client has. Called with mu held.
func (u *catchUp) sendKept(s *shard, b *behind, kept []keptChange) {
	for _, k := range kept {
		u.sent += len(k.message.Payload())
		u.c.socket.SendPrepared(k.message)
		b.at, b.epoch = k.number, k.epoch
	}
	delivered := false
	if b.room != nil {
		delivered = b.room.tail.Epoch != b.epoch || b.room.tail.Change >= b.at
	} else if n := len(b.kept); n > 0 {
		delivered = b.kept[n-1].epoch != b.epoch || b.kept[n-1].number >= b.at
	}
	if delivered {
		s.release(b)
		return
	}
	b.ahead, b.kept = true, nil
	if b.room == nil {
		u.c.ahead = append(u.c.ahead, b)
	}
}

// reload tells the client to read a conversation anew, and lets it hear what comes after.
func (u *catchUp) reload(ctx context.Context, b *behind) (over bool, err error) {
	return u.announce(ctx, b, "reload")
}

// announce tells the client where a conversation stands, and lets it hear what comes after.
func (u *catchUp) announce(ctx context.Context, b *behind, status string) (over bool, err error) {
	s := u.hub.shard(b.in)
	s.mu.Lock()
	defer s.mu.Unlock()
	var tail Tail
	if b.room != nil {
		tail, b.kept = b.room.tail, nil
	} else {
		for b.lost, b.cut = true, false; b.lost || b.cut; {
			b.kept, b.bytes, b.lost, b.cut = nil, 0, false, false
			s.mu.Unlock()
			tail, err = u.tail(ctx, b.in)
			s.mu.Lock()
			if err != nil {
				return false, err
			}
		}
	}
	u.send(u.hub.resumeAnswer(status, b.receiver, &tail))
	b.epoch, b.at, b.last = tail.Epoch, tail.Change, tail
	u.sendKept(s, b, slices.DeleteFunc(slices.Clone(b.kept), func(k keptChange) bool {
		return k.epoch == tail.Epoch && k.number <= tail.Change
	}))
	return true, nil
}
