package worker

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/hawser-ws/hawser/cmd/internal/connect"
)

// sealer encrypts the options for connecting on their way from a controller to its
// agent, because they hold passwords and private keys. Nothing else that the two say is
// secret. A nil sealer is for a child of this process.
type sealer struct{ aead cipher.AEAD }

// newSealer makes the key of one conversation from what only the two sides know,
// and the nonces of both.
func newSealer(token, agent, controller string) *sealer {
	key, err := hkdf.Key(sha256.New, []byte(token), []byte(agent+" "+controller), "wsbench job", 32)
	if err != nil {
		panic("worker: internal error: " + err.Error())
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("worker: internal error: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("worker: internal error: " + err.Error())
	}
	return &sealer{aead}
}

// seal moves the options of a job out of sight.
func (s *sealer) seal(j Job) (Job, error) {
	if s == nil {
		return j, nil
	}
	plain, err := json.Marshal(j.Target.Options)
	if err != nil {
		return j, err
	}
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce) // never fails
	j.Sealed = s.aead.Seal(nonce, nonce, plain, nil)
	j.Target.Options = connect.Options{}
	return j, nil
}

// open is seal's opposite.
func (s *sealer) open(j Job) (Job, error) {
	if s == nil {
		return j, nil
	}
	n := s.aead.NonceSize()
	if len(j.Sealed) < n {
		return j, errors.New("the job came without its options")
	}
	plain, err := s.aead.Open(nil, j.Sealed[:n], j.Sealed[n:], nil)
	if err != nil {
		return j, errors.New("the job's options were changed on their way")
	}
	j.Sealed, j.Target.Options = nil, connect.Options{}
	return j, json.Unmarshal(plain, &j.Target.Options)
}
