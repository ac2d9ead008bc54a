package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt trusts its pages: at a damaged one it panics, follows a cycle forever, or treats
// pages in use as free. So everything that it would follow is checked here first, in the file
// itself. A page is
//
//	id 8, flags 2, count 2, overflow 4, then count elements:
//	branch page  pos 4, ksize 4, pgid 8       pos counts from the element
//	leaf page    flags 4, pos 4, ksize 4, vsize 4
//
// in the byte order of the machine. The value of a bucket is the pgid of its root and a
// sequence, 8 bytes each; where the pgid is 0, the root page itself follows.
const (
	pageHeader  = 16
	elementSize = 16
	metaSize    = 64
	bucketValue = 16

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10

	elementIsBucket = 0x01

	maxDepth    = 32
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	noFreelist  = ^uint64(0)
)

var order = binary.NativeEndian

// pageMeta is one of the two meta pages, which transactions write in turn.
type pageMeta struct {
	pageSize                   int
	root, freelist, high, txid uint64 // high: pages from here on are not used
}

// pages is a file of pages.
type pages struct {
	file io.ReaderAt
	size int // of a page
	meta pageMeta
	lost bool // a meta page is damaged, or too old: what it lost may have been the newest transaction

	seen []uint64 // a bit for each page that is referred to
	bad  func(page uint64, what string)
}

var errMetas = errors.New("both pages that say where the data are (0 and 1) are damaged")

// openPages reads the meta pages.
func openPages(file io.ReaderAt) (*pages, error) {
	p := &pages{file: file, bad: func(uint64, string) {}}
	first, ok0 := readPageMeta(file, 0)
	size := first.pageSize
	var second pageMeta
	ok1 := false
	if ok0 {
		second, ok1 = readPageMeta(file, int64(size))
	}
	for size = 1024; !ok0 && !ok1 && size <= 1<<24; size *= 2 {
		second, ok1 = readPageMeta(file, int64(size))
		ok1 = ok1 && second.pageSize == size
	}
	switch {
	case !ok0 && !ok1:
		return nil, errMetas
	case !ok0:
		p.meta, p.lost = second, true
	case !ok1:
		p.meta, p.lost = first, true
	case first.txid < second.txid: // as bbolt chooses
		p.meta, p.lost = second, first.txid+1 != second.txid
	default:
		p.meta, p.lost = first, second.txid+1 != first.txid
	}
	p.size = p.meta.pageSize
	p.seen = make([]uint64, p.meta.high/64+1)
	return p, nil
}

func readPageMeta(file io.ReaderAt, at int64) (m pageMeta, ok bool) {
	b := make([]byte, pageHeader+metaSize)
	if _, err := file.ReadAt(b, at); err != nil {
		return m, false
	}
	b = b[pageHeader:]
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	m = pageMeta{int(order.Uint32(b[8:])), order.Uint64(b[16:]), order.Uint64(b[32:]), order.Uint64(b[40:]), order.Uint64(b[48:])}
	return m, order.Uint32(b) == metaMagic && order.Uint32(b[4:]) == metaVersion && order.Uint64(b[metaSize-8:]) == sum.Sum64() &&
		m.pageSize >= 1024 && m.pageSize <= 1<<24
}

// page reads a page and its overflow pages. The error says what is wrong with it.
func (p *pages) page(id uint64) ([]byte, error) {
	b := make([]byte, p.size)
	if _, err := p.file.ReadAt(b, int64(id)*int64(p.size)); err != nil {
		return nil, err
	}
	if got := order.Uint64(b); got != id {
		return nil, fmt.Errorf("it says that it is page %d", got)
	}
	overflow := uint64(order.Uint32(b[12:]))
	if id+overflow >= p.meta.high {
		return nil, errors.New("it flows over the end of the file")
	}
	if overflow > p.overflow(b) {
		return nil, errors.New("it flows over more pages than it can need")
	}
	if overflow > 0 {
		b = append(b, make([]byte, int(overflow)*p.size)...)
		if _, err := p.file.ReadAt(b[p.size:], int64(id+1)*int64(p.size)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// overflow is how many overflow pages a page can have according to its beginning, so that a
// damaged count is detected without reading them. All elements are on the first page, and the
// last one leads to the end: only an element that is too long for a page needs more pages,
// with a few others at most.
func (p *pages) overflow(b []byte) uint64 {
	flags, at := flagsOf(b), pageHeader+(int(order.Uint16(b[10:]))-1)*elementSize
	if flags == flagFreelist { // it has room for pages that may become free
		return 8*(p.meta.high+2)/uint64(p.size) + 1
	}
	if at < pageHeader || at+elementSize > p.size {
		return 0
	}
	last := b[at:]
	need := uint64(at) + uint64(order.Uint32(last)) + uint64(order.Uint32(last[4:]))
	if flags == flagLeaf {
		need += uint64(order.Uint32(last[8:])) + uint64(order.Uint32(last[12:])) - uint64(order.Uint32(last))
	}
	return need / uint64(p.size)
}

func flagsOf(page []byte) uint16 { return order.Uint16(page[8:]) }

// element is one element of a page.
type element struct {
	key, value []byte
	child      uint64 // branch page
	bucket     bool   // leaf page
}

var errElement = errors.New("an element leads out of it")

// elements are those of a branch or leaf page, whose keys must ascend.
func elements(page []byte) (list []element, err error) {
	n := int(order.Uint16(page[10:]))
	if pageHeader+n*elementSize > len(page) {
		return nil, errElement
	}
	for i := range n {
		e, err := elementAt(page, i)
		if err == nil && len(list) > 0 && bytes.Compare(list[len(list)-1].key, e.key) >= 0 {
			err = errors.New("its keys do not ascend")
		}
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// elementAt is element i, which the page must be long enough for. With an error, it has no
// key.
func elementAt(page []byte, i int) (e element, err error) {
	part := func(from, size int) []byte {
		if from < 0 || size < 0 || from > len(page) || size > len(page)-from {
			err = errElement
			return nil
		}
		return page[from : from+size]
	}
	at := pageHeader + i*elementSize
	b := page[at:]
	if flagsOf(page) == flagBranch {
		e.key = part(at+int(order.Uint32(b)), int(order.Uint32(b[4:])))
		e.child = order.Uint64(b[8:])
	} else {
		pos, ksize := at+int(order.Uint32(b[4:])), int(order.Uint32(b[8:]))
		e.key = part(pos, ksize)
		e.value = part(pos+ksize, int(order.Uint32(b[12:])))
		e.bucket = order.Uint32(b)&elementIsBucket != 0
	}
	return e, err
}

// refer notes that a page is referred to, which may happen only once.
func (p *pages) refer(id uint64) bool {
	switch {
	case id < 2 || id >= p.meta.high:
		p.bad(id, "is beyond the end of the file")
		return false
	case p.seen[id/64]&(1<<(id%64)) != 0:
		p.bad(id, "is referred to twice")
		return false
	}
	p.seen[id/64] |= 1 << (id % 64)
	return true
}

// walk goes through a tree of pages. each is called for every leaf page; if it is nil, leaf
// pages are not read, except the first of each branch page.
func (p *pages) walk(root uint64, each func(list []element)) {
	p.walkWithin(root, nil, nil, 0, each)
}

// walkWithin goes through a tree whose keys are at least low, and below high; nil: no bound.
// A branch page whose keys are wrong would lead elsewhere.
func (p *pages) walkWithin(id uint64, low, high []byte, depth int, each func(list []element)) {
	if !p.refer(id) {
		return
	}
	b, err := p.page(id)
	if err != nil {
		p.bad(id, err.Error())
		return
	}
	if flags := flagsOf(b); flags != flagBranch && flags != flagLeaf || depth > maxDepth {
		p.bad(id, fmt.Sprintf("is neither a branch nor a leaf: its flags are %#x", flags))
		return
	}
	for i := uint64(1); i <= uint64(order.Uint32(b[12:])); i++ {
		p.refer(id + i)
	}
	list, err := elements(b)
	if n := len(list); err == nil && n > 0 && (low != nil && bytes.Compare(list[0].key, low) < 0 || high != nil && bytes.Compare(list[n-1].key, high) >= 0) {
		err = errors.New("its keys are not those that the page above says")
	}
	switch {
	case err != nil:
		p.bad(id, err.Error())
	case flagsOf(b) == flagLeaf && each != nil:
		each(list)
	case flagsOf(b) == flagBranch:
		p.walkChildren(list, high, depth, each)
	}
}

func (p *pages) walkChildren(list []element, high []byte, depth int, each func(list []element)) {
	leaves := false
	for i, e := range list {
		if i == 0 && each == nil {
			first, err := p.page(e.child)
			leaves = err == nil && flagsOf(first) == flagLeaf
		}
		if leaves {
			p.refer(e.child)
			continue
		}
		below := high
		if i+1 < len(list) {
			below = list[i+1].key
		}
		p.walkWithin(e.child, e.key, below, depth+1, each)
	}
}

// bucket is one of the buckets of a file.
type bucket struct {
	name     []byte
	root     uint64
	sequence uint64
	inline   []byte // its only page, where root is 0
}

// buckets are those of the file.
func (p *pages) buckets() (list []bucket) {
	p.walk(p.meta.root, func(elements []element) {
		for _, e := range elements {
			if !e.bucket || len(e.value) < bucketValue {
				p.bad(p.meta.root, fmt.Sprintf("%q is no bucket", e.key))
				continue
			}
			list = append(list, bucketAt(e))
		}
	})
	return list
}

// bucketAt is the bucket that an element describes, whose value must be long enough.
func bucketAt(e element) bucket {
	b := bucket{bytes.Clone(e.key), order.Uint64(e.value), order.Uint64(e.value[8:]), nil}
	if b.root == 0 {
		b.inline = bytes.Clone(e.value[bucketValue:])
	}
	return b
}

// read goes through a bucket, as walk does.
func (p *pages) read(b bucket, each func(list []element)) {
	if b.root != 0 {
		p.walk(b.root, each)
		return
	}
	if len(b.inline) < pageHeader || flagsOf(b.inline) != flagLeaf {
		p.bad(p.meta.root, fmt.Sprintf("the bucket %q within it is no leaf page", b.name))
		return
	}
	list, err := elements(b.inline)
	if err != nil {
		p.bad(p.meta.root, fmt.Sprintf("the bucket %q within it: %v", b.name, err))
	} else if each != nil {
		each(list)
	}
}

// freelist checks that no free page is in use: bbolt would overwrite it.
func (p *pages) freelist() {
	id := p.meta.freelist
	if id == noFreelist || !p.refer(id) {
		return
	}
	b, err := p.page(id)
	if err == nil && flagsOf(b) != flagFreelist {
		err = fmt.Errorf("it is no list of free pages: its flags are %#x", flagsOf(b))
	}
	if err != nil {
		p.bad(id, err.Error())
		return
	}
	ids := b[pageHeader:]
	n := uint64(order.Uint16(b[10:]))
	if n == 0xFFFF && len(ids) >= 8 {
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		p.bad(id, "the list of free pages is longer than its page")
		return
	}
	var before uint64
	for ; n > 0; n, ids = n-1, ids[8:] {
		free := order.Uint64(ids)
		if free <= before {
			p.bad(id, "the free pages do not ascend")
			return
		}
		before = free
		p.refer(free)
	}
}

// checkPages finds out whether bbolt can safely open a file: all pages are valid, except the
// leaf pages of large buckets, which are not read. Records that are not found there are known
// to be missing. lost says that the newest transaction may be missing, because bbolt then
// silently uses the previous one.
func checkPages(path string) (lost bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	p, err := openPages(f)
	if err != nil {
		return false, err
	}
	p.bad = func(page uint64, what string) {
		if err == nil {
			err = fmt.Errorf("the file is damaged: page %d: %s; \"hawser check\" lists what is lost", page, what)
		}
	}
	for _, b := range p.buckets() {
		switch string(b.name) {
		case string(bucketLog), string(bucketIndex), string(bucketRefs), string(bucketMemberships), string(bucketMembers), string(oldMessages):
			p.read(b, nil)
		default:
			p.read(b, func([]element) {})
		}
	}
	p.freelist()
	return p.lost, err
}
