package bolt

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

const childVariable = "HAWSER_TEST_BOLT_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		writeUntilKilled(dir)
	}
	if dir := os.Getenv(migrateVariable); dir != "" {
		migrateUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// writeUntilKilled commits batches of 1 to 8 messages, whose content is their seq, and prints
// the seq of each once its batch is committed. Before each message, a member joins the room
// with the message's number, and leaves the previous one.
func writeUntilKilled(dir string) {
	s, err := Open(dir, Options{Log: quiet.Log, every: 40, members: 10, piece: 2}) // often in the middle of a checkpoint
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tail, err := s.Tail(bg, lobby)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	seq := tail.Seq
	for {
		batch := make([]chat.Entry, 1+rand.IntN(8))
		for i := range batch {
			seq++
			content := fmt.Sprint(seq)
			if err := moveTo(s, seq); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			batch[i] = chat.Entry{Conversation: lobby, Message: &chat.Message{
				Sender: "u_ada", Ref: "ref" + content, Timestamp: "1", Content: content, Metadata: []byte("{}")}}
		}
		rs, err := results(s, batch)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for _, r := range rs {
			fmt.Println(r.Change.Seq)
		}
	}
}

func moveTo(s *Store, seq uint64) error {
	_, err := s.members.Join(bg, fmt.Sprint(seq), "u_ada")
	_, err2 := s.members.Leave(bg, fmt.Sprint(seq-1), "u_ada")
	return errors.Join(err, err2)
}

// kills is how often a process is killed: KILLS, or n.
func kills(n int) int {
	fmt.Sscan(os.Getenv("KILLS"), &n)
	return n
}

// A process that writes is killed at a random moment, again and again: every message that was
// reported as stored is there, in order, and no other is damaged. No message is there without
// the memberships that began and ended before it.
func TestS01Kill(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	var acked uint64
	epoch := ""
	for cycle := range kills(20) {
		acked = max(acked, killAfter(t, dir, random.IntN(60)))
		s, err := Open(dir, quiet)
		if err != nil {
			t.Fatalf("after kill %d: %v", cycle, err)
		}
		if epoch = cmp.Or(epoch, s.epoch); s.epoch != epoch || s.Damaged() > 0 || s.Broken() != nil {
			t.Fatalf("after kill %d: epoch %s for %s, %d damaged, %v", cycle, s.epoch, epoch, s.Damaged(), s.Broken())
		}
		stored := contents(t, s)
		for i, content := range stored {
			if content != fmt.Sprint(i+1) {
				t.Fatalf("after kill %d: message %d is %q", cycle, i+1, content)
			}
		}
		if uint64(len(stored)) < acked {
			t.Fatalf("after kill %d: %d messages of %d that were acknowledged", cycle, len(stored), acked)
		}
		rooms := roomsOf(t, s, "u_ada")
		last := 0
		for _, room := range rooms {
			n, _ := strconv.Atoi(room)
			last = max(last, n)
		}
		if len(rooms) > 3 || last < len(stored) { // three: of a batch that was never acknowledged
			t.Fatalf("after kill %d: %d messages, and a member of %v", cycle, len(stored), rooms)
		}
		s.Close(bg)
		if _, err := Verify(bg, s.path); err != nil {
			t.Fatalf("after kill %d: %v", cycle, err)
		}
	}
	t.Logf("%d messages", acked)
}

// killAfter lets a child write, kills it when it has acknowledged n more messages, and
// returns the last seq that it acknowledged.
func killAfter(t *testing.T, dir string, n int) (acked uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; i < n && lines.Scan(); i++ {
		fmt.Sscan(lines.Text(), &acked)
	}
	child.Process.Kill()
	for lines.Scan() {
		var seq uint64
		fmt.Sscan(lines.Text(), &seq) // a last line may be cut: it then names a lower seq
		acked = max(acked, seq)
	}
	child.Wait()
	return acked
}
