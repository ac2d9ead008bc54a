package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// Neither a new guest nor a renamed one gets a name that looks like another's; the
// very same name is free, and a guest from before the rules keeps theirs.
func TestNameTaken(t *testing.T) {
	g, store, tokens := newGuests(t)
	code, paul := ask(t, g, `{"name":"Paul"}`)
	if code != 200 {
		t.Fatal(code, paul)
	}
	if code, got := ask(t, g, `{"name":"Paul"}`); code != 200 || got.UserID == paul.UserID {
		t.Errorf("the same name: %d %+v", code, got)
	}
	w := post(g, "application/json", `{"name":"PauI"}`)
	if got := decode(t, w); w.Code != 409 || got.Reason != "name_taken" || got.Field != "name" || !strings.Contains(w.Body.String(), "looks like that of another user") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	_, eve := ask(t, g, `{"name":"Eve"}`)
	if code, got := ask(t, g, asking(eve.Token, "Раul")); code != 400 || got.Reason != "bad_name" {
		t.Errorf("mixed alphabets: %d %+v", code, got)
	}
	if code, got := ask(t, g, asking(eve.Token, "𝐏𝐚𝐮𝐥")); code != 409 || got.Reason != "name_taken" {
		t.Errorf("renamed: %d %+v", code, got)
	}
	if u, err := store.User(t.Context(), eve.UserID); err != nil || u.Name != "Eve" {
		t.Errorf("after that: %+v, %v", u, err)
	}

	const old = "\u3164"
	if err := store.PutUser(t.Context(), chat.User{ID: "u_old", Name: old}); err != nil {
		t.Fatal(err)
	}
	token, _, err := tokens.Issue("u_old", "", GuestLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if code, got := ask(t, g, asking(token, "")); code != 200 || got.Name != old {
		t.Errorf("a name from before: %d %+v", code, got)
	}
}

// The clean name is stored, and is in the answer.
func TestNameIsAnsweredClean(t *testing.T) {
	g, store, _ := newGuests(t)
	body, err := json.Marshal(map[string]string{"name": " Zoe\u0308\u3000 Łu "})
	if err != nil {
		t.Fatal(err)
	}
	_, got := ask(t, g, string(body))
	if u, err := store.User(t.Context(), got.UserID); err != nil || got.Name != "Zoë Łu" || u.Name != got.Name {
		t.Errorf("answered %q, stored %q, %v", got.Name, u.Name, err)
	}
}
