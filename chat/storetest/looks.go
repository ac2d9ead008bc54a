package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// A name that could be taken for another user's is refused; the very same name is not,
// nor is a user's own.
func testLooks(t *testing.T, f Folder) {
	s := f.Open(t)
	put := func(id, name string, want error) {
		t.Helper()
		if err := s.PutUser(chat.User{ID: id, Name: name}); !errors.Is(err, want) {
			t.Fatalf("PutUser %s %+q: %v, want %v", id, name, err, want)
		}
		u, err := s.User(id)
		if want == nil && u.Name != name || want != nil && u.Name == name {
			t.Fatalf("User %s is %+q, %v", id, u.Name, err)
		}
	}
	for i := range 20 {
		put(fmt.Sprintf("u_%02d", i), "Paul", nil)
	}
	put("u_x", "PauI", chat.ErrNameTaken)
	put("u_x", "Pau1", chat.ErrNameTaken)
	put("u_x", "𝐏𝐚𝐮𝐥", chat.ErrNameTaken)
	put("u_x", "paul", nil)
	put("u_05", "Pau1", chat.ErrNameTaken) // 19 others have it
	put("u_x", "Paula", nil)
	put("u_x", "Pau\u04c0a", nil) // looks like their own
	put("u_y", "Paula", chat.ErrNameTaken)
	put("u_x", "Eve", nil)
	put("u_y", "Paula", nil) // nobody has either any more
	put("u_y", "PauIa", nil)
	put("u_z", "PauIa", nil)
	put("u_y", "Paula", chat.ErrNameTaken)

	f.Close(t)
	s = f.Open(t)
	put("u_w", "Paula", chat.ErrNameTaken)
	put("u_w", "Еvе", chat.ErrNameTaken)
	put("u_w", "Eve", nil)
}
