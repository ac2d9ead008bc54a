package enginetest

import (
	"errors"
	"fmt"

	"github.com/hawser-ws/hawser/chat"
)

// A name that looks like another user's is refused; the very same name is not, nor is
// a user's own.
func testLooks(h *house) {
	put := func(id, name string, want error) {
		h.Helper()
		if err := h.Directory.PutUser(ctx, chat.User{ID: id, Name: name}); !errors.Is(err, want) {
			h.Fatalf("PutUser %s %+q: %v, want %v", id, name, err, want)
		}
		u, err := h.Directory.User(ctx, id)
		if want == nil && u.Name != name || want != nil && u.Name == name {
			h.Fatalf("User %s is %+q, %v", id, u.Name, err)
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
	put("u_y", "Paula", nil) // no user has either any more
	put("u_y", "PauIa", nil)
	put("u_z", "PauIa", nil)
	put("u_y", "Paula", chat.ErrNameTaken)

	h.reopen()
	put("u_w", "Paula", chat.ErrNameTaken)
	put("u_w", "Еvе", chat.ErrNameTaken)
	put("u_w", "Eve", nil)
}
