package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"syscall"
	"time"
)

// The form of a bbolt file (go.etcd.io/bbolt, package internal/common), in the byte order
// of the machine. A page begins with its number, its type, how many elements it has
// and how many more pages belong to it.
const (
	pageHeader    = 16
	branchElement = 16
	leafElement   = 16
	bucketHeader  = 16

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	// metaSize is what the checksum of a meta page covers.
	metaSize = 56
	// manyFree stands for a count that does not fit and is in the first element.
	manyFree = 0xFFFF
	// noFreelist says that the list of free pages is not in the file.
	noFreelist = ^uint64(0)
	// maxDepth is far more than a tree of the largest file has, and maxNesting more than
	// our buckets.
	maxDepth   = 32
	maxNesting = 4
)

var native = binary.NativeEndian

// verifier walks the pages of a file.
type verifier struct {
	file  io.ReaderAt
	size  int64
	page  int64  // size of one
	pages uint64 // the number behind the last one that is used
	seen  map[uint64]bool
}

// verify finds what is damaged in the structure of a state file: pages that are not
// what they should be, that contain themselves, or that have more than fits. bbolt trusts
// its file: it would panic in goroutines of its own, follow a circle for ever, or ask for
// more memory than there is. A file that does not exist, is empty or held by another
// process is left to it.
func verify(path string, wait time.Duration) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	case info.Size() == 0 || !lockShared(f, wait):
		return nil
	}
	// Another process may have written between Stat and the lock.
	if info, err = f.Stat(); err != nil {
		return err
	}
	v := &verifier{file: f, size: info.Size(), seen: map[uint64]bool{}}
	return v.verify()
}

// lockShared waits for a writer to end, as bbolt does. The lock goes with the file.
func lockShared(f *os.File, wait time.Duration) bool {
	const pause = 10 * time.Millisecond
	for end := time.Now().Add(wait); ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if err == nil {
			return true
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			return false
		}
		<-time.After(pause)
	}
}

func (v *verifier) verify() error {
	root, free, err := v.meta()
	if err != nil {
		return err
	}
	if err := v.tree(root, 0, 0); err != nil {
		return err
	}
	if free == noFreelist {
		return nil
	}
	return v.freelist(free)
}

// meta reads the newer one of the two meta pages that are whole: the root of the tree and
// the page of the list of free pages.
func (v *verifier) meta() (root, free uint64, err error) {
	type meta struct{ size, root, free, pages, txid uint64 }
	read := func(at int64) (m meta, ok bool) {
		raw := make([]byte, pageHeader+metaSize+8)
		if _, err := v.file.ReadAt(raw, at); err != nil {
			return m, false
		}
		raw = raw[pageHeader:]
		sum := fnv.New64a()
		sum.Write(raw[:metaSize])
		if native.Uint32(raw) != boltMagic || native.Uint32(raw[4:]) != boltVersion ||
			native.Uint64(raw[metaSize:]) != sum.Sum64() {
			return m, false
		}
		return meta{
			uint64(native.Uint32(raw[8:])), native.Uint64(raw[16:]), native.Uint64(raw[32:]), native.Uint64(raw[40:]),
			native.Uint64(raw[48:]),
		}, true
	}
	best, found := read(0)
	// The second one is at the size of a page, which the first one says if it is whole.
	for _, size := range []uint64{best.size, 4096, 8192, 16384, 32768, 65536} {
		if size == 0 {
			continue
		}
		if m, ok := read(int64(size)); ok && m.size == size {
			if !found || m.txid > best.txid {
				best, found = m, true
			}
			break
		}
	}
	if !found || best.size < 1024 || best.size > 1<<16 {
		return 0, 0, errors.New("neither of its meta pages is whole")
	}
	v.page, v.pages = int64(best.size), best.pages
	if v.pages > uint64(v.size)/best.size {
		return 0, 0, fmt.Errorf("it was cut short: it has %d bytes and should have %d pages of %d", v.size, v.pages, v.page)
	}
	return best.root, best.free, nil
}

// content reads a page with all that belongs to it.
func (v *verifier) content(id uint64) (raw []byte, flags uint16, count int, err error) {
	if id < 2 || id >= v.pages {
		return nil, 0, 0, fmt.Errorf("page %d does not exist", id)
	}
	header := make([]byte, pageHeader)
	if _, err := v.file.ReadAt(header, int64(id)*v.page); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	more := uint64(native.Uint32(header[12:]))
	if native.Uint64(header) != id || id+more >= v.pages {
		return nil, 0, 0, fmt.Errorf("page %d is not what it should be", id)
	}
	for i := id; i <= id+more; i++ {
		if v.seen[i] {
			return nil, 0, 0, fmt.Errorf("page %d is used twice", i)
		}
		v.seen[i] = true
	}
	raw = make([]byte, int64(more+1)*v.page)
	if _, err := v.file.ReadAt(raw, int64(id)*v.page); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	return raw, native.Uint16(header[8:]), int(native.Uint16(header[10:])), nil
}

// tree walks the pages of a bucket.
func (v *verifier) tree(id uint64, depth, nesting int) error {
	raw, flags, count, err := v.content(id)
	if err != nil {
		return err
	}
	return v.elements(raw, flags, count, depth, nesting)
}

// elements walks a page of a tree, or what a small bucket has in place of one.
func (v *verifier) elements(raw []byte, flags uint16, count, depth, nesting int) error {
	switch {
	case depth > maxDepth || nesting > maxNesting:
		return errors.New("its tree is deeper than any")
	case flags == branchPage && count > 0:
		return v.branches(raw, count, depth, nesting)
	case flags == leafPage:
		return v.leaves(raw, count, nesting)
	default:
		return fmt.Errorf("a page of its tree has type %#x and %d elements", flags, count)
	}
}

func (v *verifier) branches(raw []byte, count, depth, nesting int) error {
	var last []byte
	for i := range count {
		at := pageHeader + i*branchElement
		if at+branchElement > len(raw) {
			return errTooMany
		}
		key, ok := part(raw, at, native.Uint32(raw[at:]), native.Uint32(raw[at+4:]))
		if !ok || i > 0 && bytes.Compare(last, key) >= 0 {
			return errBadKey
		}
		last = key
		if err := v.tree(native.Uint64(raw[at+8:]), depth+1, nesting); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) leaves(raw []byte, count, nesting int) error {
	var last []byte
	for i := range count {
		at := pageHeader + i*leafElement
		if at+leafElement > len(raw) {
			return errTooMany
		}
		pos, keySize, valueSize := native.Uint32(raw[at+4:]), native.Uint32(raw[at+8:]), native.Uint32(raw[at+12:])
		key, ok := part(raw, at, pos, keySize)
		if !ok || i > 0 && bytes.Compare(last, key) >= 0 {
			return errBadKey
		}
		last = key
		value, ok := part(raw, at, pos+keySize, valueSize)
		if !ok {
			return errBadKey
		}
		switch native.Uint32(raw[at:]) {
		case 0:
		case bucketFlag:
			if err := v.bucket(value, nesting+1); err != nil {
				return fmt.Errorf("bucket %.20q: %w", key, err)
			}
		default:
			return errBadKey
		}
	}
	return nil
}

var (
	errTooMany = errors.New("a page has more elements than fit")
	errBadKey  = errors.New("an element of a page is damaged")
)

// part is a piece of a page, which is said by its distance from its element.
func part(raw []byte, element int, pos, size uint32) ([]byte, bool) {
	from := uint64(element) + uint64(pos)
	if from+uint64(size) > uint64(len(raw)) {
		return nil, false
	}
	return raw[from : from+uint64(size)], true
}

// bucket walks a bucket, which is small and has its page behind its header, or has a tree.
func (v *verifier) bucket(value []byte, nesting int) error {
	if len(value) < bucketHeader {
		return errBadKey
	}
	if root := native.Uint64(value); root != 0 {
		return v.tree(root, 0, nesting)
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader {
		return errBadKey
	}
	return v.elements(inline, native.Uint16(inline[8:]), int(native.Uint16(inline[10:])), 0, nesting)
}

// freelist checks that free pages exist, come in order, and are not used.
func (v *verifier) freelist(id uint64) error {
	raw, flags, count, err := v.content(id)
	if err != nil {
		return fmt.Errorf("list of free pages: %w", err)
	}
	raw = raw[pageHeader:]
	n := uint64(count)
	if count == manyFree {
		n, raw = native.Uint64(raw), raw[8:]
	}
	if flags != freelistPage || n > uint64(len(raw)/8) {
		return errors.New("the list of free pages is damaged")
	}
	last := uint64(1)
	for i := range n {
		free := native.Uint64(raw[8*i:])
		if free <= last || free >= v.pages || v.seen[free] {
			return errors.New("the list of free pages is damaged")
		}
		last = free
	}
	return nil
}
