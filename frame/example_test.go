package frame_test

import (
	"fmt"

	"github.com/hawser-ws/hawser/frame"
)

// A client's frame, built and read back. The bytes are those of RFC 6455 §5.7.
func Example() {
	payload := []byte("Hello")
	h := frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Key: 0x3d21fa37, Length: uint64(len(payload))}
	b := append(h.Append(nil), payload...)
	frame.Mask(b[len(b)-len(payload):], h.Key)
	fmt.Printf("% x\n", b)

	h, n, err := frame.ParseHeader(b)
	if err != nil || n == 0 || uint64(len(b)-n) < h.Length {
		fmt.Println("not a whole frame:", err)
		return
	}
	payload = b[n : n+int(h.Length)]
	frame.Mask(payload, h.Key)
	fmt.Printf("%v %s\n", h.Opcode, payload)
	// Output:
	// 81 85 37 fa 21 3d 7f 9f 4d 51 58
	// text Hello
}

// A payload that arrives in pieces is unmasked piece by piece.
func ExampleMask() {
	pieces := [][]byte{{0x7f, 0x9f}, {0x4d, 0x51, 0x58}}
	key := uint32(0x3d21fa37)
	for _, p := range pieces {
		key = frame.Mask(p, key)
		fmt.Printf("%s", p)
	}
	// Output: Hello
}
