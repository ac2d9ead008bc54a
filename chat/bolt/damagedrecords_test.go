package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
)

// recordDamages damage the record with a key in a bucket whose pages stay whole. other is
// another key of the bucket, or the same.
var recordDamages = map[string]func(r *rand.Rand, b *bbolt.Bucket, key, other []byte) error{
	"missing": func(_ *rand.Rand, b *bbolt.Bucket, key, _ []byte) error { return b.Delete(key) },
	"a bit of it": func(r *rand.Rand, b *bbolt.Bucket, key, _ []byte) error {
		v := bytes.Clone(b.Get(key))
		v[r.IntN(len(v))] ^= 1 << r.IntN(8)
		return b.Put(key, v)
	},
	"a bit of its key": func(r *rand.Rand, b *bbolt.Bucket, key, _ []byte) error {
		v, wrong := bytes.Clone(b.Get(key)), bytes.Clone(key)
		wrong[len(wrong)-1-r.IntN(min(3, len(wrong)))] ^= 1 << r.IntN(8)
		return errors.Join(b.Delete(key), b.Put(wrong, v))
	},
	"cut short": func(_ *rand.Rand, b *bbolt.Bucket, key, _ []byte) error {
		v := bytes.Clone(b.Get(key))
		return b.Put(key, v[:len(v)/2])
	},
	"in the place of another": func(_ *rand.Rand, b *bbolt.Bucket, key, other []byte) error {
		v, w := bytes.Clone(b.Get(key)), bytes.Clone(b.Get(other))
		return errors.Join(b.Put(key, w), b.Put(other, v))
	},
}

// S04: one record of a store is damaged. Everything read afterwards is what was stored, or is
// reported missing, and a check finds it.
func TestS04DamagedRecords(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	tr := damagedStore(t, dir, r)
	path := filepath.Join(dir, FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPages(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	whole = whole[:int(p.meta.high)*p.size]
	count := make(map[string]int)
	for _, bucket := range buckets {
		for _, kind := range slices.Sorted(maps.Keys(recordDamages)) {
			for _, place := range []string{"first", "last", "any"} {
				if err := os.WriteFile(path, whole, 0o600); err != nil {
					t.Fatal(err)
				}
				what := ""
				err := change(path, func(tx *bbolt.Tx) error {
					b := tx.Bucket(bucket)
					var keys [][]byte
					if err := b.ForEach(func(k, _ []byte) error { keys = append(keys, bytes.Clone(k)); return nil }); err != nil || len(keys) == 0 {
						return err
					}
					at := map[string]int{"first": 0, "last": len(keys) - 1, "any": r.IntN(len(keys))}[place]
					what = fmt.Sprintf("the record %x (%d of %d) of %s, %s", keys[at], at+1, len(keys), bucket, kind)
					return recordDamages[kind](r, b, keys[at], keys[r.IntN(len(keys))])
				})
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if what != "" {
					count[useInTime(t, what, dir, tr)]++
				}
			}
		}
	}
	if t.Log(count); count["found"] < 50 {
		t.Error("the test damaged nothing that matters")
	}
}
