package wsconn

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hawser-ws/hawser/frame"
)

// ReadJSON reads the next message, text or binary, and decodes it into v as
// json.Unmarshal does. If the message cannot be decoded, the error is that of package
// encoding/json, wrapped, and the connection remains open.
func (c *Conn) ReadJSON(ctx context.Context, v any) error {
	_, p, err := c.Read(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(p, v); err != nil {
		return fmt.Errorf("wsconn: decode message: %w", err)
	}
	return nil
}

// WriteJSON sends v, encoded as json.Marshal does, as a text message. See Write.
func (c *Conn) WriteJSON(ctx context.Context, v any, opts ...WriteOption) error {
	p, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("wsconn: encode message: %w", err)
	}
	return c.Write(ctx, frame.Text, p, opts...)
}
