package rate

import (
	"testing"
	"time"
)

func TestLines(t *testing.T) {
	var l Lines
	written, omitted := 0, 0
	for i := range 10_000 { // 100 a second
		ok, n := l.Take(time.Duration(i) * 10 * time.Millisecond)
		if ok {
			written++
			omitted += n
		}
	}
	if written != 2*maxLines || omitted != 6000-maxLines {
		t.Errorf("of 10,000 lines within 100 s, %d are written, and say that %d were not", written, omitted)
	}
	if ok, n := l.Take(time.Hour); !ok || n != 4000-maxLines {
		t.Errorf("later: %t, %d", ok, n)
	}
	if ok, n := l.Take(time.Hour); !ok || n != 0 {
		t.Errorf("the next one: %t, %d", ok, n)
	}
}
