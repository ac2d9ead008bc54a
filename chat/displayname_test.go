package chat

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What people are called, and how they write it, is let in as it is.
func TestNamesOfPeople(t *testing.T) {
	for _, name := range []string{
		"Ada", "ada", "A", "Ada Lovelace", "O'Brien", "Jean-Luc", "J. R. R.", "Ali", "Max 2", "4chan", "Ada!", "~*Ada*~", "Ångström", "Nguyễn Thị Minh Khai",
		"Zoë", "Łukasz", "Straße", "İbrahim", "ı", "Ọlátúnjí", "Ž̂x̣̌", "Анна", "Анна Каренина", "Ελένη", "Армен", "Արմեն", "გიორგი",
		"Anna (HR-Team)", "Anna Анна", "Вася DJ", "Ada علي", "Ada 山田", "山田 太郎", "山田 Taro", "ヤマダTaro", "たろう", "ニック", "김철수", "김철수 Kim", "李小龍", "ㄅㄆㄇ",
		"מֹשֶׁה", "מרים", "مُحَمَّد", "محمد", "عبد الله", "می\u200cخواهم", "کار\u200cها", "राम", "क्\u200dष", "र\u094d\u200d", "शक्\u200cति",
		"ശ്രീ", "അവന\u0d4d\u200d", "র\u200d\u09cdয", "ශ\u0dca\u200dරී", "ไพศาล", "น้ำ", "မြွှေ့", "កម្ពុជា", "བཀྲ་ཤིས", "ᠮᠣᠩᠭᠣᠯ\u180b", "አበበ", "ᏣᎳᎩ",
		"🦉", "Ada 🦉", "👩\u200d💻", "👩🏽\u200d💻", "🏳\ufe0f\u200d🌈", "❤\ufe0f", "❤", "🙂\u200d↔\ufe0f", "👨\u200d👩\u200d👧\u200d👦", "🇩🇪", "1\ufe0f\u20e3", "#\u20e3", "‼\ufe0f",
		"🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "辻\U000e0100", "葛\U000e0101城",
		"\U0001fadd", "Ada \U0001fae9", "\U0001fadd\u200d\U0001fae9", "\U0001fc00", // newer than the tables, or not in Unicode yet
		"\U00010d50\U00010d51", "\U00016100 \U00016101", "\ua7dan", // Garay, Gurung Khema and a Latin letter: Unicode 16
		"\U00030000", "\U00033480", // beyond the ideographs of this day
		"𝓐𝓭𝓪", "Ａｄａ", "H₂O", "x²", "№5", "１２３", "٣", "Ada™",
		"Root Beer", "Serena", "Allie", "Hereford", "Modesty", "Alina", "Ian Allen", "Admiral", "Systema Naturae", "u2", "U_", "ᾷᾧ", "Joe Root",
		"Alla", "ALLA", "Alla Pugacheva", "AILA", "Amod", "Aall", "Moda", "Technology", "It", "An", "My Ly",
	} {
		got, err := CleanName(name)
		if err != nil || got != norm.NFC.String(name) {
			t.Errorf("CleanName(%+q) = %+q, %v", name, got, err)
		}
		if again, err := CleanName(got); err != nil || again != got {
			t.Errorf("CleanName(%+q) = %+q, %v; it was clean", got, again, err)
		}
	}
}

// White space and the two spellings of accents come to one.
func TestNameIsNormalised(t *testing.T) {
	for name, want := range map[string]string{
		" \t Ada  Lovelace\u00a0 ":           "Ada Lovelace",
		"山田\u3000太郎":                         "山田 太郎",
		"A\u2003\u2009b":                     "A b",
		"Zoe\u0308":                          "Zoë",
		"Vie\u0302\u0323t":                   "Việt",
		"\u212bngstrom":                      "Ångstrom",
		strings.Repeat("🦉", 32):              strings.Repeat("🦉", 32),
		"  " + strings.Repeat("e\u0301", 32): strings.Repeat("é", 32),
	} {
		if got, err := CleanName(name); got != want || err != nil {
			t.Errorf("CleanName(%+q) = %+q, %v; want %+q", name, got, err, want)
		}
	}
}

// A refusal says which character it is about, by its place and name.
func TestNameRefusals(t *testing.T) {
	tag := func(s string) string {
		return strings.Map(func(r rune) rune { return 0xe0000 + r }, s)
	}
	for _, c := range []struct{ name, want string }{
		{"", "0 characters; 1 to 32"},
		{" \t\n", "0 characters"},
		{strings.Repeat("a", 33), "33 characters"},
		{"a\xff", "not UTF-8"},
		// A11
		{"Ada\r\nset-cookie", "character 4 of the name is U+000D control, which is a control character"},
		{"\x1b[31mred", "character 1 of the name is U+001B"},
		{"a\u0085b", "U+0085"},
		{"a\u2028b", "U+2028 LINE SEPARATOR, which ends a line"},
		{"a\u2029b", "ends a line"},
		{"\u202eevil", "U+202E RIGHT-TO-LEFT OVERRIDE, which is invisible and changes the direction"},
		{"a\u2066b", "direction"}, {"a\u200fb", "direction"}, {"a\u061cb", "direction"}, {"Ada\u200e", "direction"},
		// B05: what shows nothing
		{"\u3164", "U+3164 HANGUL FILLER, which is invisible"},
		{"\u115f", "U+115F HANGUL CHOSEONG FILLER"}, {"\u1160", "U+1160"}, {"\uffa0", "U+FFA0"},
		{"\u2800", "U+2800 BRAILLE PATTERN BLANK, which is blank"}, {"\U0001d159", "U+1D159 MUSICAL SYMBOL NULL NOTEHEAD"},
		{"A\u200dda", "character 2 of the name is U+200D ZERO WIDTH JOINER"}, {"A\u200cda", "U+200C"}, {"Ada\u034f", "U+034F"},
		{"Ada\ufe0f", "character 4 of the name is U+FE0F VARIATION SELECTOR-16"}, {"Ada\ufe0e", "U+FE0E"}, {"Ada\u3164", "character 4"},
		{"Ada\u00ad", "U+00AD SOFT HYPHEN"}, {"zero\u200bwidth", "character 5"}, {"Ada\u2060", "U+2060"}, {"\ufeffAda", "U+FEFF"}, {"Ada\u06dd", "ARABIC END OF AYAH, which encloses"},
		{"Ada\u180e", "U+180E"}, {"a\u2064b", "U+2064"}, {"a\u206ab", "U+206A"}, {"\u17b4", "U+17B4"}, {"\ufffc", "U+FFFC"}, {"\ufffd", "U+FFFD"},
		{"a\ufff9b", "U+FFF9"}, {"\U00013441", "U+13441"}, {"\U00016fe4", "U+16FE4"}, {"a\U0001d173b", "U+1D173"}, {"a\U0001bca0b", "U+1BCA0"},
		{"Ada\U000e0100", "U+E0100 VARIATION SELECTOR-17"}, {"Ada\ufe00", "U+FE00"}, {"Ada\u180b", "U+180B"}, {"1\ufe0f", "U+FE0F"}, {"\ufe0f", "U+FE0F"},
		{"❤\ufe0f\ufe0f", "character 3"}, {"辻\ufe0f", "U+FE0F"},
		{"Ada" + tag("x"), "U+E0078 TAG LATIN SMALL LETTER X"}, {"🏴" + tag("gb"), "U+E0067"}, {"🏴" + tag("gbsctx1"), "U+E0067"}, {"🦉" + tag("gbsct\x7f"), "U+E0067"},
		{"🏴" + tag("gbsct\x7f\x7f"), "character 8"}, {"\U000e0001", "U+E0001"}, {"a\U000e0080", "U+E0080"}, {"a\u2065", "U+2065"}, {"a\ufff0", "U+FFF0"},
		{"\u200d", "U+200D"}, {"\u200d🦉", "U+200D"}, {"🦉\u200d", "U+200D"}, {"🦉\u200d\u200d🦉", "character 2"}, {"می\u200c\u200cخ", "U+200C"}, {"می\u200c", "U+200C"},
		{"می\u200ca", "U+200C"}, {"山\u200d田", "U+200D"}, {"🦉\u200cda", "U+200C"}, {"Аd\u200dа", "U+200D"}, {"가\u200d나", "U+200D"}, {"1\u200d2", "U+200D"},
		{"a\ue000", "U+E000 Private Use, which looks different on every system"}, {"\U000f0000", "private"}, {"\U0010ffff", "U+10FFFF"}, {"\ufdd0", "no appearance"}, {"\U00050000", "no appearance"},
		// Marks
		{"\u0301", "character 1 of the name is U+0301 COMBINING ACUTE ACCENT, which has no letter under it"},
		{"Ada \u0301", "character 5"}, {"\u20e3", "U+20E3"},
		{"A\u0300\u0301\u0302\u0303da", "character 4 of the name is U+0303 COMBINING TILDE; at most 3 marks"}, {"Z\u0335\u0321\u0352\u0300", "at most 3 marks"}, {"A\u0323\u0323da", "repeated"},
		{"🦉\u0300\u0301\u0302\u0303", "at most 3 marks"}, {"ก\u0e31\u0e48\u0e49\u0e4a\u0e4b", "at most 4 marks"}, {"A\u0488\u0489\u20dd\u20dex", "at most 3 marks"},
		{"e\u0301\u0302\u200d", "U+200D"},
		// Nothing to read
		{".", "no visible letter, digit or symbol"}, {"...", "no visible letter"}, {"·", "no visible letter"}, {"- _ -", "no visible letter"}, {"'", "no visible letter"}, {"ʼ", "no visible letter"}, {"ـ", "no visible letter"}, {"¨", "no visible letter"}, {"。", "no visible letter"}, {"ー", "no visible letter"}, {"^", "no visible letter"}, {"🏽", "no visible letter"},
		// Mixed alphabets
		{"Аdа", `the word "Аdа" mixes letters of Cyrillic and Latin`}, {"Adа", "mixes"}, {"Αda", "Greek and Latin"}, {"Bοb", "Greek and Latin"}, {"ᎪdᎪ", "Cherokee and Latin"},
		{"𝐀dа", "mixes"}, {"Ａdа", "mixes"}, {"Ադa", "Armenian and Latin"}, {"Авα", "Cyrillic and Greek"}, {"山дa", "mixes"}, {"たアА", "mixes"}, {"ｒаｕｌ", "mixes"}, {"김ア", "mixes"},
		{"d'Аrс", "mixes"}, {"Bob Ваур", "is of Cyrillic letters, but each of them looks Latin"}, {"Bob-а", "is of Cyrillic"}, {"Rosa Α", "is of Greek"},
	} {
		got, err := CleanName(c.name)
		if err == nil || got != "" || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) {
			t.Errorf("CleanName(%+q) = %+q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

// A name must not pose as the service or as another user.
func TestImpostors(t *testing.T) {
	for want, names := range map[string][]string{
		"reserved": {
			"admin", "Admin", "ADMIN", " admin ", "a d m i n", "a.d.m.i.n", "_admin_", "~admin~", "@admin", "Admin!", "admin ✅", "🛡 Admin 🛡", "Ädmin", "ádmíñ", "adrnin", "adm1n", "ADMlN", "@dmin", "4dmin",
			"ａｄｍｉｎ", "𝐚𝐝𝐦𝐢𝐧", "ⓐⓓⓜⓘⓝ", "🅐🅓🅜🅘🅝", "🅰🅳🅼🅸🅽", "🇦🇩🇲🇮🇳", "ᴀᴅᴍɪɴ", "ᵃᵈᵐⁱⁿ", "ɑdmin", "ađmin", "admın", "Admins", "1admin1",
			"system", "SYSTEM", "ѕуѕтем", "ЅҮЅТЕМ", "$ystem", "5y5tem", "sys tem", "System Message", "root", "r00t", "R O O T", "moderator", "Mod", "server", "support", "Hawser", "havvser", "HAWSER TEAM", "hawser-support", "hawseradmin", "The Admin", "Real Hawser Bot",
			"everyone", "@everyone", "here", "@here", "all", "ALL", "aII", "a11", "channel", "администратор", "АДМИН", "管理员", "管 理 員", "관리자", "مدير", "Système", "sysadmin", "official support",
			"a moderator", "A Mod", "an admin", "my admin", "IT Support", "Customer Support", "Technical Support", "Tech-Support", "Super Admin", "superadmin", "Head Admin", "Site Admin", "webadmin", "Global Mod", "Room Moderator", "Chief Moderator", "Адмін",
		},
		"people of the same name": {"Ada (k3x7)", "Ada(k3x7)", "Ada (you)", "Ada (x)", "Ada （k3x7）", "Ada ❨k3x7❩", "Ada [k3x7]", "Ada (k3x7) ", "Ada (k3x7) ✓", "Ada (k3x7).", "(k3x7)", "Ada ⟮k3x7⟯", "Ada 〔k3x7〕", "Ada ﹙k3x7﹚"},
		"user id":                 {"u_ada", "U_ada", "u_3k5x7q2m4w6pab2c", "ｕ_ada", "u＿ada"},
	} {
		for _, name := range names {
			if got, err := CleanName(name); err == nil || got != "" && !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "mixes") {
				t.Errorf("CleanName(%+q) = %+q, %v; want %q", name, got, err, want)
			}
		}
	}
}

// Two names look the same, or they do not.
func TestLookOf(t *testing.T) {
	for _, pair := range [][2]string{
		{"Paul", "PauI"}, {"Paul", "Pau1"}, {"Bob", "Воb"}, {"Ada", "𝐀𝐝𝐚"}, {"Ada", "Ａｄａ"}, {"O", "0"}, {"O", "О"}, {"O", "Ο"}, {"modern", "modem"},
		{"aca", "аса"}, {"Zoë", "Zoe\u0308"}, {"❤", "❤\ufe0f"}, {"می\u200cخواهم", "میخواهم"}, {"辻", "辻\U000e0100"}, {"ニ", "二"}, {"🏴", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"},
		{"ﬁn", "fin"}, {"ʼ", "'"}, {"Dž", "ǅ"},
	} {
		if a, b := LookOf(pair[0]), LookOf(pair[1]); a != b {
			t.Errorf("%+q and %+q look like %+q and %+q", pair[0], pair[1], a, b)
		}
	}
	for _, pair := range [][2]string{
		{"Ada", "ada"}, {"Ada", "Ada 2"}, {"Ada", "A da"}, {"Zoe", "Zoë"}, {"Анна", "Anna"}, {"🦉", "🦆"}, {"\U0001fadd", "\U0001fae9"}, {"\U0001fadd", ""}, {"👩", "👩🏽"}, {"Ali", "All"},
	} {
		if LookOf(pair[0]) == LookOf(pair[1]) {
			t.Errorf("%+q and %+q look the same", pair[0], pair[1])
		}
	}
}

// Whatever is asked for, the answer is a name that is clean, or a reason.
func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"Ada", "👩\u200d💻", "می\u200cخ", "\u202e", "A\u0300\u0301\u0302", "admin", "Ada (k3x7)", "a\xff", "辻\U000e0100"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := CleanName(s)
		if err != nil {
			if name != "" || len(err.Error()) > 1000 && len(s) < 500 {
				t.Fatalf("%q: %q, %v", s, name, err)
			}
			return
		}
		if n := utf8.RuneCountInString(name); n == 0 || n > MaxName || !norm.NFC.IsNormalString(name) || strings.TrimSpace(name) != name || strings.Contains(name, "  ") {
			t.Fatalf("%q: %q", s, name)
		}
		if again, err := CleanName(name); err != nil || again != name {
			t.Fatalf("%q is %q, %v the second time", name, again, err)
		}
	})
}

// A store keeps looks, and has to make them anew when this number changes.
func TestLookVersion(t *testing.T) {
	const want = uint32(0x724f8943)
	h := crc32.NewIEEE()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if look := LookOf(string(r)); look != string(r) {
			fmt.Fprintf(h, "%x %s\n", r, look)
		}
	}
	if got := h.Sum32(); got != want {
		t.Errorf("LookOf gives other answers than before, their checksum is %#x: raise LookVersion, now %s, and set the checksum", got, LookVersion)
	}
}

func BenchmarkCleanName(b *testing.B) {
	for _, name := range []string{"Ada Lovelace", "Анна Каренина", strings.Repeat("\U00010d50", MaxName), strings.Repeat("ﷺ", MaxName), strings.Repeat("1a4l", MaxName/4), strings.Repeat("\U000e0061", 8*MaxName)} {
		b.Run(name[:4], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				CleanName(name)
			}
		})
	}
}
