package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/auth"
)

type answer struct {
	Token, Name, Reason, Field string
	UserID                     string `json:"user_id"`
	Expires                    int64
	Code                       int
}

func ask(t *testing.T, g *Guests, body string) (int, answer) {
	t.Helper()
	w := post(g, "application/json", body)
	return w.Code, decode(t, w)
}

func decode(t *testing.T, w *httptest.ResponseRecorder) (a answer) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return a
}

// asking is the body of a renewal; a name of "" asks for none.
func asking(token, name string) string {
	fields := map[string]string{"token": token}
	if name != "" {
		fields["name"] = name
	}
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(body)
}

// A token is exchanged for a new one of the same user, with the same name or another.
func TestRenew(t *testing.T) {
	g, store, tokens := newGuests(t)
	_, ada := ask(t, g, `{"name":"Ada"}`)
	now := noon.Add(time.Hour)
	g.Now = func() time.Time { return now } // it is not asked for a renewal: Created stays

	code, kept := ask(t, g, asking(ada.Token, ""))
	if code != 200 || kept.UserID != ada.UserID || kept.Name != "Ada" || kept.Expires != noon.Add(GuestLifetime).Unix() {
		t.Errorf("renewed: %d %+v", code, kept)
	}
	if code, same := ask(t, g, asking(ada.Token, " Ada ")); code != 200 || same.Name != "Ada" {
		t.Errorf("renewed with the same name: %d %+v", code, same)
	}
	code, grace := ask(t, g, asking(ada.Token, " Grace "))
	if code != 200 || grace.UserID != ada.UserID || grace.Name != "Grace" {
		t.Errorf("renamed: %d %+v", code, grace)
	}
	if id, err := tokens.Authenticate(grace.Token); err != nil || id.UserID != ada.UserID {
		t.Errorf("the new token is of %q, %v", id.UserID, err)
	}
	want := chat.User{ID: ada.UserID, Name: "Grace", Created: noon.UnixMilli(), Guest: true}
	got, err := store.User(t.Context(), ada.UserID)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("stored: %v (-want +got):\n%s", err, diff)
	}
}

// unsureUsers are Users of a store that does not know whether it has stored.
type unsureUsers struct{ Users }

func (unsureUsers) PutUser(context.Context, chat.User) error {
	return fmt.Errorf("%w: the disk is slow", chat.ErrOutcomeUnknown)
}

func (u unsureUsers) ChangeUser(ctx context.Context, _ string, _ chat.UserChange) (chat.User, error) {
	return chat.User{}, u.PutUser(ctx, chat.User{})
}

// If it is unknown whether a user was stored, nothing is claimed.
func TestOutcomeUnknown(t *testing.T) {
	g, store, _ := newGuests(t)
	_, ada := ask(t, g, `{"name":"Ada"}`)
	g.Users = unsureUsers{store}
	for _, body := range []string{asking(ada.Token, "Hopper"), `{"name":"Bob"}`} {
		if code, got := ask(t, g, body); code != 503 || got.Reason != "outcome_unknown" {
			t.Errorf("%s: %d %+v", body, code, got)
		}
	}
}

// meanwhile is a Users in which something happens after each read of a user.
type meanwhile struct {
	Users
	then func()
}

func (m meanwhile) User(ctx context.Context, id string) (chat.User, error) {
	defer m.then()
	return m.Users.User(ctx, id)
}

// A user who logs out everywhere while a token is being renewed has no valid token after that,
// and one who is deleted is not stored again.
func TestRenewMeanwhile(t *testing.T) {
	g, store, _ := newGuests(t)
	clock := noon
	tokens, err := auth.Open(t.TempDir(), func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	g.Tokens = tokens
	_, ada := ask(t, g, `{"name":"Ada"}`)
	g.Users = meanwhile{store, func() {
		clock = clock.Add(time.Hour)
		if _, err := store.ChangeUser(t.Context(), ada.UserID, chat.UserChange{ValidFrom: clock.UnixMilli()}); err != nil {
			t.Error(err)
		}
		clock = clock.Add(time.Hour)
	}}
	for _, name := range []string{"Grace", ""} {
		code, renewed := ask(t, g, asking(ada.Token, name))
		if code == 200 {
			id, err := tokens.Authenticate(renewed.Token)
			u, err2 := store.User(t.Context(), ada.UserID)
			if err != nil || err2 != nil || id.Issued.UnixMilli() >= u.ValidFrom {
				t.Errorf("renewed with the name %q: issued %v, %v, valid from %v, %v", name, id.Issued, err, time.UnixMilli(u.ValidFrom), err2)
			}
			ada.Token = renewed.Token
		} else if code != 401 {
			t.Errorf("renewed with the name %q: %d %+v", name, code, renewed)
		}
	}

	g.Users = store
	_, bob := ask(t, g, `{"name":"Bob"}`)
	g.Users = meanwhile{store, func() {
		if err := store.DeleteUser(t.Context(), bob.UserID); err != nil {
			t.Error(err)
		}
	}}
	if code, got := ask(t, g, asking(bob.Token, "Rob")); code != 401 || got.Reason != "token_refused" {
		t.Errorf("renamed while being deleted: %d %+v", code, got)
	}
	if u, err := store.User(t.Context(), bob.UserID); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("the deleted user is %+v, %v", u, err)
	}
}

func TestRenewRefused(t *testing.T) {
	g, store, tokens := newGuests(t)
	issue := func(id string, lifetime time.Duration) string {
		token, _, err := tokens.Issue(id, "", lifetime)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if err := store.PutUser(t.Context(), chat.User{ID: "u_ada", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, body string
		code       int
		reason     string
		field      string
	}{
		{"good", asking(issue("u_ada", time.Hour), ""), 200, "", ""},
		{"expired lately", asking(issue("u_ada", -RenewalGrace), ""), 200, "", ""},
		{"expired long ago", asking(issue("u_ada", -RenewalGrace-time.Minute), ""), 401, "token_expired", "token"},
		{"forged", asking("a.b.c", ""), 401, "token_refused", "token"},
		{"of a user who is gone", asking(issue("u_bob", time.Hour), "Bob"), 401, "token_refused", "token"},
		{"token of another kind", `{"token":1,"name":"Ada"}`, 400, "wrong_kind", "token"},
		{"bad name", asking(issue("u_ada", time.Hour), "\u202e"), 400, "bad_name", "name"},
		{"empty token", `{"token":""}`, 400, "missing_field", "name"},
		{"empty name", `{"token":"x","name":""}`, 400, "bad_name", "name"},
	} {
		if code, got := ask(t, g, c.body); code != c.code || got.Reason != c.reason || got.Field != c.field {
			t.Errorf("%s: %d %+v, want %d %s, field %q", c.name, code, got, c.code, c.reason, c.field)
		}
	}
	if u, err := store.User(t.Context(), "u_ada"); err != nil || u.Name != "Ada" {
		t.Errorf("stored: %+v, %v", u, err)
	}
	g.Users = brokenUsers{}
	w := post(g, "application/json", asking(issue("u_ada", time.Hour), ""))
	if w.Code != 503 || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("with a broken store: %d %s", w.Code, w.Body)
	}
}

// A new name counts like a new guest. A renewal must not be delayed by others from the same
// address.
func TestRenewRate(t *testing.T) {
	g, _, _ := newGuests(t)
	var now time.Duration
	g.Rate = NewRate(2, func() time.Duration { return now })
	_, ada := ask(t, g, `{"name":"Ada"}`)
	for i, want := range []int{200, 429} {
		if code, _ := ask(t, g, asking(ada.Token, "Name "+string(rune('A'+i)))); code != want {
			t.Errorf("new name %d: %d, want %d", i+1, code, want)
		}
	}
	if code, got := ask(t, g, asking(ada.Token, "")); code != 200 || got.Name != "Name A" {
		t.Errorf("renewal: %d %+v", code, got)
	}
}
