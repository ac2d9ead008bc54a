package pin

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	got, err := Parse("0,2-4,7")
	if d := cmp.Diff([]int{0, 2, 3, 4, 7}, got); d != "" || err != nil {
		t.Errorf("%s%v", d, err)
	}
	for _, bad := range []string{"", "x", "1-", "3-2", "-1", "1,,2", "5000"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// A child runs where it was told to, and we go on where we were.
func TestStart(t *testing.T) {
	before := Usable()
	last := before[len(before)-1]
	cmd := exec.Command("grep", "Cpus_allowed_list", "/proc/self/status")
	var out strings.Builder
	cmd.Stdout = &out
	if err := Start(cmd, []int{last}); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(out.String()); len(f) != 2 || f[1] != strconv.Itoa(last) {
		t.Errorf("%q, want core %d", out.String(), last)
	}
	if d := cmp.Diff(before, Usable()); d != "" {
		t.Error(d)
	}
	if err := Start(exec.Command("true"), []int{1023}); err == nil {
		t.Error("a core that is not there is taken")
	}
	if err := Check(before); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]int{{1023}, {last, 1023}} {
		if err := Check(bad); err == nil {
			t.Errorf("cores %v are taken", bad)
		}
	}
}

func TestHalves(t *testing.T) {
	a, b := Halves()
	if len(a) == 0 || len(b) == 0 {
		t.Fatalf("%v and %v", a, b)
	}
	if len(Usable()) > 1 && a[len(a)-1] >= b[0] {
		t.Errorf("%v and %v have cores in common", a, b)
	}
}
