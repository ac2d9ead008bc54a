package bolt

import (
	"testing"

	"github.com/hawser-ws/hawser/chat/enginetest"
)

// The contract, with nodes that share only what is stored.
func TestContractByDoorbells(t *testing.T) {
	enginetest.Run(t, enginetest.Doorbells(func(t *testing.T) enginetest.Place { return &folder{dir: t.TempDir()} }))
}
