package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// salvage reads a bucket of a file whose records have no checksums, in the order of its keys,
// and calls each with all that is whole. walk gives up a page in which anything is wrong,
// because bbolt could not use it safely. Here one wrong bit costs one record, if the rest of
// the page still makes sense. Whatever is left out is reported to p.bad, page by page.
func (p *pages) salvage(b bucket, each func(element)) {
	if b.root != 0 {
		p.salvagePage(b.root, limits{}, 0, each)
		return
	}
	if len(b.inline) < pageHeader || flagsOf(b.inline) != flagLeaf {
		p.bad(p.meta.root, fmt.Sprintf("the bucket %q within it is no leaf page", b.name))
		return
	}
	list, whole := elementsLeft(b.inline)
	if !whole {
		p.bad(p.meta.root, fmt.Sprintf("of the bucket %q within it, some records are damaged or out of order", b.name))
	}
	for _, e := range list {
		each(e)
	}
}

// limits are the bounds for the keys of a page: at least low, and below high. They are also
// at least the previous low, which is that of the previous page. nil: not known.
type limits struct{ before, low, high []byte }

// inside are the elements from a key on that are below high.
func (l limits) inside(low []byte, list []element) []element {
	return slices.DeleteFunc(slices.Clone(list), func(e element) bool {
		return low != nil && bytes.Compare(e.key, low) < 0 || l.high != nil && bytes.Compare(e.key, l.high) >= 0
	})
}

// salvagePage reads a page and those below it. Only pages themselves are noted as seen, not
// their overflow pages: otherwise a wrong length would cost the neighbor.
func (p *pages) salvagePage(id uint64, l limits, depth int, each func(element)) {
	if !p.refer(id) {
		return
	}
	b, err := p.page(id)
	if err == nil && flagsOf(b) != flagBranch && flagsOf(b) != flagLeaf || depth > maxDepth {
		err = errors.New("it is neither a branch nor a leaf")
	}
	if err != nil {
		p.bad(id, err.Error())
		return
	}
	if flagsOf(b) == flagLeaf {
		p.salvageLeaf(id, b, l, each)
		return
	}
	list, whole := elementsLeft(b)
	before := l.low
	for i, e := range list {
		child := limits{before, e.key, l.high}
		if i+1 < len(list) {
			child.high = list[i+1].key
		}
		if !whole { // where the children lie is known, their keys are not
			child = limits{}
		}
		p.salvagePage(e.child, child, depth+1, each)
		before = e.key
	}
}

func (p *pages) salvageLeaf(id uint64, page []byte, l limits, each func(element)) {
	list, whole := elementsLeft(page)
	inside := l.inside(l.low, list)
	switch outside := len(list) - len(inside); {
	case outside > 0 && len(inside) == 0 && len(l.inside(l.before, list)) == 0:
		p.seen[id/64] &^= 1 << (id % 64) // another page correctly leads to it
		p.bad(id, "its keys are not those that the page above says")
		return
	case outside == 1 && len(list) > 1: // its key is wrong
		list, whole = inside, false
	case outside > 0: // the page above is wrong
		whole = false
	}
	if !whole {
		p.bad(id, "some of its records are damaged or out of order")
	}
	for _, e := range list {
		each(e)
	}
}

// elementsLeft are the usable elements of a branch or leaf page: all children of a branch,
// and those elements of a leaf that lie within the page, as far as their keys ascend. whole
// says that these are all, and in order.
func elementsLeft(page []byte) (list []element, whole bool) {
	n, room := int(order.Uint16(page[10:])), (len(page)-pageHeader)/elementSize
	whole = n <= room
	for i := range min(n, room) {
		e, err := elementAt(page, i)
		if err != nil {
			whole = false
		}
		if err == nil || flagsOf(page) == flagBranch {
			list = append(list, e)
		}
	}
	ascend := ascending(list)
	if len(ascend) == len(list) {
		return list, whole
	}
	if flagsOf(page) == flagLeaf {
		list = ascend
	}
	return list, false
}

// ascending is the longest part of a list whose keys ascend: all but those that are wrong.
func ascending(list []element) []element {
	ends := make([]int, 0, len(list)) // of the parts of length 1, 2, ... the one whose last key is the lowest
	before := make([]int, len(list))  // for each element, the previous one in the longest part that ends there
	for i, e := range list {
		n, _ := slices.BinarySearchFunc(ends, e.key, func(end int, key []byte) int { return bytes.Compare(list[end].key, key) })
		if n == len(ends) {
			ends = append(ends, i)
		}
		ends[n] = i
		if n > 0 {
			before[i] = ends[n-1]
		}
	}
	part := make([]element, len(ends))
	at := 0
	if n := len(ends); n > 0 {
		at = ends[n-1]
	}
	for n := range slices.Backward(part) {
		part[n] = list[at]
		at = before[at]
	}
	return part
}
