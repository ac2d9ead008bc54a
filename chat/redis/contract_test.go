package redis

import (
	"testing"

	"github.com/hawser-ws/hawser/chat/enginetest"
)

func TestContract(t *testing.T) { enginetest.Run(t, newPlace(startRedis(t))) }

// The same, with nodes that share only what is stored.
func TestContractByDoorbells(t *testing.T) {
	enginetest.Run(t, enginetest.Doorbells(newPlace(startRedis(t))))
}
