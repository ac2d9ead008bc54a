package memory

import (
	"log/slog"
	"testing"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/enginetest"
)

type place struct{}

func (place) Open(t *testing.T, c chat.Clock) chat.Engine {
	return New(c, slog.New(slog.DiscardHandler)).Parts()
}
func (place) Close(*testing.T) {}
func (place) Durable() bool    { return false }

func TestContract(t *testing.T) {
	enginetest.Run(t, func(*testing.T) enginetest.Place { return place{} })
}

// The same, with nodes that share only what is stored.
func TestContractByDoorbells(t *testing.T) {
	enginetest.Run(t, enginetest.Doorbells(func(*testing.T) enginetest.Place { return place{} }))
}
