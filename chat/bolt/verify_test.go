package bolt

import (
	"cmp"
	"context"
	"fmt"
)

// Verify reads every record of the store or backup in path, which must not be written to
// meanwhile. The error says what is lost.
func Verify(ctx context.Context, path string) (c Contents, err error) {
	losses := 0
	var lost error
	c, err = Check(ctx, path, func(loss string) {
		if losses++; losses == 1 {
			lost = fmt.Errorf("chat/bolt: %s is damaged: %s", path, loss)
		}
	})
	if err == nil && losses > 1 {
		lost = fmt.Errorf("%w, and %d other losses", lost, losses-1)
	}
	return c, cmp.Or(err, lost)
}
