package chat

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// reserved are words that only the service and the people who run it could be called, and
// words that address everyone. companions are harmless by themselves, but a reserved word
// together with them is still reserved: "the admin", "Hawser Team".
var (
	reserved = strings.Fields(`
		hawser system sysadmin admin admins administrator administrators administration root superuser
		moderator moderators moderation mod mods server support helpdesk staff operator owner
		security service webmaster postmaster hostmaster official
		everyone everybody here all channel
		administrador administrateur moderador moderateur sistema systeme soporte
		админ администратор модератор система поддержка адмін адміністратор
		管理员 管理員 系统 系統 管理者 管理人 관리자 운영자 시스템 مدير مشرف النظام`)
	companions = strings.Fields(`
		the our real chat team bot account message notice desk
		super head chief senior lead site web global room forum community customer technical tech`)

	// articles are companions, but only as separate words: "a moderator" is refused, "Alla",
	// "Amod" and "Moda" are not.
	articles = []string{"a", "an", "my", "it"}
)

// checkImpostor refuses a name that poses as the service, or as another user in the form in
// which pages show users.
func checkImpostor(name string) error {
	if isReserved(name) {
		return fmt.Errorf("the name %q is reserved: it could be taken for the service, for the people who run it, or for everyone", name)
	}
	plain := []rune(norm.NFKC.String(name))
	if tag := endTag(plain); tag != "" {
		return fmt.Errorf("the name ends in %q, which is how pages tell people of the same name apart by their ids; leave it out, or use more than 4 characters", tag)
	}
	if looksLikeID(plain) {
		return fmt.Errorf("the name %q could be taken for a user id", name)
	}
	return nil
}

// endTag returns a pair of parentheses, with 1 to 4 characters in it that are allowed in
// ids, at the end of a name or followed only by symbols and punctuation; "" if there is
// none. Look-alikes of parentheses and of letters count as well.
func endTag(name []rune) string {
	end := len(name)
	for end > 0 && !unicode.IsLetter(name[end-1]) && !unicode.IsNumber(name[end-1]) && bracket(name[end-1]) != ")" {
		end--
	}
	for n := 1; n <= 4 && n+2 <= end; n++ {
		open := end - n - 2
		if bracket(name[end-1]) == ")" && bracket(name[open]) == "(" && !slices.ContainsFunc(name[open+1:end-1], notInID) {
			return string(name[open:end])
		}
	}
	return ""
}

// bracket returns "(" or ")" if r could be taken for it.
func bracket(r rune) string {
	switch {
	case unicode.Is(unicode.Ps, r), unicode.Is(unicode.Pi, r):
		return "("
	case unicode.Is(unicode.Pe, r), unicode.Is(unicode.Pf, r):
		return ")"
	}
	return lookOf(r)
}

func notInID(r rune) bool { return !validID(lookOf(r), maxUserID) }

// looksLikeID reports whether the name could be taken for what a page shows instead of an
// unknown name.
func looksLikeID(name []rune) bool {
	for _, r := range name {
		if notInID(r) {
			return false
		}
	}
	return len(name) > len(userPrefix) && strings.HasPrefix(LookOf(strings.ToLower(string(name))), LookOf(userPrefix))
}

// fold returns all readings of a character as small letters. A character that is not a
// letter may also be read as nothing, like the dots in "a.d.m.i.n".
func fold(r rune) []string {
	if letter := drawnLetter(r); letter != 0 {
		r = letter
	}
	if unicode.IsMark(r) {
		return []string{""}
	}
	var readings []string
	read := func(s string) {
		if s = smallLetters(s); s != "" && !slices.Contains(readings, s) {
			readings = append(readings, s)
		}
	}
	read(lookOf(unicode.ToLower(r)))
	read(lookOf(r)) // a capital of another alphabet may look Latin where the small letter does not
	switch r {
	case 'I', 'l', '1', '|', '!', 'ǀ': // not i: Ali is not all
		read("i")
		read("l")
	case '3', '€':
		read("e")
	case '4', '@':
		read("a")
	case '5', '$':
		read("s")
	case '7':
		read("t")
	}
	if !unicode.IsLetter(r) {
		readings = append(readings, "")
	}
	return readings
}

// smallLetters returns the letters of s as small letters, without marks. A letter's look may
// be a character that has another look itself.
func smallLetters(s string) string {
	var b strings.Builder
	for _, r := range s {
		if capital := smallCapitals[r]; capital != 0 {
			r = capital
		}
		for _, r := range lookOf(r) {
			switch r = unicode.ToLower(r); {
			case r == 'w':
				b.WriteString("vv")
			case unicode.IsLetter(r):
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// smallCapitals are separate letters that look like small Latin capitals. Small letters of
// Cyrillic look like them as well.
var smallCapitals = map[rune]rune{
	'ᴀ': 'a', 'ʙ': 'b', 'ᴅ': 'd', 'ᴇ': 'e', 'ꜰ': 'f', 'ɢ': 'g', 'ʜ': 'h', 'ᴊ': 'j', 'ᴋ': 'k', 'ĸ': 'k', 'ʟ': 'l',
	'ᴍ': 'm', 'ʍ': 'm', 'ɴ': 'n', 'ᴘ': 'p', 'ʀ': 'r', 'ᴛ': 't',
}

// drawnLetter returns the Latin letter that a small capital, a regional indicator or a letter
// in a black circle or square shows, or 0. Unicode does not decompose these.
func drawnLetter(r rune) rune {
	switch {
	case 0x1f1e6 <= r && r <= 0x1f1ff:
		return 'a' + r - 0x1f1e6
	case 0x1f150 <= r && r <= 0x1f169:
		return 'a' + r - 0x1f150
	case 0x1f170 <= r && r <= 0x1f189:
		return 'a' + r - 0x1f170
	}
	return smallCapitals[r]
}
