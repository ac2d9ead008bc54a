package bolt

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// If a disk has lost the last writes of page 0 or 1, the old page does not count as the
// newest. The content is whole, but the lost page may have pointed to newer data: so a new
// epoch begins.
func TestStaleMetaPage(t *testing.T) {
	for stale := range int64(2) {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		size := s.db.Info().PageSize
		meta := func(page int64) []byte {
			b := make([]byte, size)
			f, err := os.Open(s.path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.ReadAt(b, page*int64(size)); err != nil {
				t.Fatal(err)
			}
			return b
		}
		newer := func() int64 {
			var m [2]pageMeta
			for i := range m {
				var ok bool
				if m[i], ok = readPageMeta(bytes.NewReader(meta(int64(i))), 0); !ok {
					t.Fatal("a page is damaged")
				}
			}
			if m[0].txid > m[1].txid {
				return 0
			}
			return 1
		}
		var before []byte
		n := 0
		for ; n < 40 || newer() == stale; n++ {
			if n == 5 {
				before = meta(stale)
			}
			if _, err := say(s, fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(bg); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(s.path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(before, stale*int64(size)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		var losses []string
		if _, err := Check(bg, s.path, func(l string) { losses = append(losses, l) }); err != nil || len(losses) != 1 || !strings.Contains(losses[0], "pages 0 and 1") {
			t.Errorf("check: %q, %v", losses, err)
		}
		again := mustOpen(t, dir)
		if got := contents(t, again); len(got) != n || again.epoch == s.epoch || again.Broken() != nil {
			t.Errorf("%d messages of %d; epoch %s, was %s; broken: %v", len(got), n, again.epoch, s.epoch, again.Broken())
		}
		if _, err := say(again, "more"); err != nil {
			t.Error(err)
		}
	}
}

// Records of any length, and the list of the pages that are free, have as many overflow
// pages as they say; a page that says something else is damaged, and not read into memory.
func TestPagesThatFlowOver(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	s.db.NoSync = true
	for _, n := range []int{0, 1, 1000, 1500, 2000, 3000, 3996, 4000, 4050, 4090, 5000, 8000, 8150, 8192, 20000, 1 << 20} {
		rs, err := results(s, []chat.Entry{
			{Conversation: lobby, Message: message(strings.Repeat("x", n), "")},
			{Conversation: chat.RoomConversation(strings.Repeat("long", n%100)), Message: message("short", "")},
		})
		if err != nil {
			t.Fatal(rs, err)
		}
	}
	err := s.db.Update(func(tx *bbolt.Tx) error { // makes many pages that will be free
		b, err := tx.CreateBucket([]byte("x"))
		for i := range 3 << 10 {
			if err == nil {
				err = b.Put(numberKey(uint64(i)), make([]byte, 3000))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("x")) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(bg, s.path); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPages(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var flown []uint64
	for id := uint64(2); id < p.meta.high; id++ {
		b, err := p.page(id)
		if err == nil && len(b) > p.size {
			flown = append(flown, id)
			id += uint64(len(b)/p.size - 1)
		}
	}
	if b, err := p.page(p.meta.freelist); err != nil || len(b) == p.size {
		t.Errorf("the list of free pages: %d bytes, %v", len(b), err)
	}
	if len(flown) < 5 {
		t.Errorf("pages that flow over: %d", flown)
	}
	for _, id := range append(flown[1:], 2, 3) {
		overflow := file[id*uint64(p.size)+12:][:4]
		before := bytes.Clone(overflow)
		order.PutUint32(overflow, uint32(p.meta.high-id-1))
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		b, err := p.page(id)
		runtime.ReadMemStats(&m1)
		if used := m1.TotalAlloc - m0.TotalAlloc; err == nil && len(b) > 2<<20 || used > 4<<20 {
			t.Errorf("page %d: %d bytes, %v; %d bytes of memory were used", id, len(b), err, used)
		}
		copy(overflow, before)
	}
}
