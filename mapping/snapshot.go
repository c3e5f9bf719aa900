package mapping

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"time"
)

// A snapshot is a header, one record per pair, and a CRC-32C of both, all big-endian. The header has the magic and the
// version, the two prefixes, and the number and total length of the records. The records are in the order in which the
// clock hand comes to their pairs.
const (
	magic   = "SOCKSMAP"
	version = 2

	headerLen      = len(magic) + 1 + 5 + 17 + 4 + 8
	recordFixedLen = 4 + 8 + 1 // of a record, before its name
	recordNameMax  = math.MaxUint8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WriteTo writes a snapshot of the table for [Read], and returns the number of bytes written. The snapshot has the names
// that the table had at one moment, without their leases; the table may be used meanwhile. An error of w ends it.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	if !t.made() {
		return 0, errUnmade
	}
	pairs := t.pairs()
	h := header{ipv4: t.space.ipv4, ipv6: t.space.ipv6, count: uint32(len(pairs))}
	for _, p := range pairs {
		h.length += uint64(recordFixedLen + int(p.length))
	}
	count, sum := countingWriter{w: w}, crc32.New(castagnoli)
	buffer := bufio.NewWriterSize(io.MultiWriter(&count, sum), 64<<10)
	b := h.append(nil)
	_, err := buffer.Write(b)
	for i := 0; i < len(pairs) && err == nil; i++ {
		r := record{pairs[i].name(), pairs[i].number, t.toWall(pairs[i].assigned.Load())}
		b = r.append(b[:0])
		_, err = buffer.Write(b)
	}
	if err == nil {
		err = buffer.Flush()
	}
	if err == nil {
		_, err = count.Write(sum.Sum(b[:0]))
	}
	return count.n, err
}

// pairs returns a copy of the list of pairs, so that the lock is not held while they are written.
func (t *Table) pairs() []*pair {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.AppendSeq(make([]*pair, 0, t.count.Names), t.ring.all())
}

// countingWriter counts the bytes that w has taken.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// toWall converts a time of the table to a time of a record.
func (t *Table) toWall(at int64) int64 {
	if at == neverAssigned || at == retired { // evicted since pairs returned: its Hold is over
		return neverAssigned
	}
	return t.clock.base.Add(time.Duration(at)).UnixNano()
}

// fromWall converts a time of a record to a time of the table. A time in the future becomes now.
func (t *Table) fromWall(at int64) int64 {
	if at == neverAssigned {
		return neverAssigned
	}
	since := time.Unix(0, at).Sub(t.clock.base)
	return min(max(int64(since), -1<<62), t.clock.now())
}

// Read returns a table with the pairs of a snapshot: the names keep their addresses, and Hold counts from the same
// Assign as before. New names get addresses from a new random start, because the snapshot does not have the addresses
// that were handed out after it was written. The package comment gives, under Restarts, the probability that such an
// address is handed out again.
//
// Read returns an error if the prefixes of c are not the snapshot's, if Size is less than its number of names, or if any
// byte of the snapshot is missing or changed. It reads nothing after the end of the snapshot. It allocates less than 500
// bytes per name in addition to what [New] allocates.
func Read(r io.Reader, c Config) (*Table, error) {
	t, err := newTable(c)
	if err != nil {
		return nil, err
	}
	if err := t.read(r); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("mapping: snapshot: %w", err)
	}
	return t, nil
}

// read adds the pairs of a snapshot to the empty table.
func (t *Table) read(r io.Reader) error {
	sum := crc32.New(castagnoli)
	summed := io.TeeReader(r, sum)
	b := make([]byte, headerLen)
	if _, err := io.ReadFull(summed, b); err != nil {
		return err
	}
	h, err := parseHeader(b)
	if err != nil {
		return err
	}
	if err := t.accepts(h); err != nil {
		return err
	}
	oldest, err := t.readRecords(bufio.NewReader(io.LimitReader(summed, int64(h.length))), h.count)
	if err != nil {
		return err
	}
	want := sum.Sum(nil)
	if _, err := io.ReadFull(r, b[:len(want)]); err != nil {
		return err
	}
	if !slices.Equal(want, b[:len(want)]) {
		return errors.New("checksum does not match")
	}
	t.start()
	if h.count > 0 {
		t.ring.pointAt(oldest)
	}
	return nil
}

// accepts returns an error if a header does not fit the table's configuration, or announces more bytes than its number of
// records can have.
func (t *Table) accepts(h header) error {
	switch s := &t.space; {
	case h.ipv4 != s.ipv4 || h.ipv6 != s.ipv6:
		return fmt.Errorf("it is of %v and %v, not of %v and %v", h.ipv4, h.ipv6, s.ipv4, s.ipv6)
	case uint64(h.count) > uint64(t.size):
		return fmt.Errorf("it has %d names, more than %d", h.count, t.size)
	case h.length > uint64(h.count)*(recordFixedLen+recordNameMax):
		return fmt.Errorf("%d bytes are too many for %d names", h.length, h.count)
	}
	return nil
}

// readRecords adds the pairs of the records to the table, which no other goroutine uses yet, and returns the number of
// the first. r ends where the records end according to the header.
func (t *Table) readRecords(r *bufio.Reader, count uint32) (first uint32, err error) {
	for i := range count {
		rec, err := readRecord(r)
		if err != nil {
			return 0, err
		}
		if err := t.restore(rec); err != nil {
			return 0, err
		}
		if i == 0 {
			first = rec.number
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		return 0, errors.New("records are shorter than announced")
	}
	return first, nil
}

// restore adds the pair of a record, or returns an error if acceptsRecord does.
func (t *Table) restore(r record) error {
	hash := t.index.hash(r.name)
	if err := t.acceptsRecord(r, hash); err != nil {
		return err
	}
	p := newPair(r.name)
	p.number = r.number
	p.assigned.Store(t.fromWall(r.assigned))
	t.add(hash, p)
	return nil
}

// acceptsRecord returns an error for a record that WriteTo cannot have written: its name is not in canonical form, its
// number is none that is handed out, or the name or the number is in the table already. hash is the name's.
func (t *Table) acceptsRecord(r record, hash uint64) error {
	switch canonical, _, err := t.canonical(r.name); {
	case err != nil:
		return fmt.Errorf("name %q: %w", r.name, err)
	case canonical != r.name:
		return fmt.Errorf("name %q is not in canonical form", r.name)
	case !t.space.usableNumber(r.number) || t.ring.find(r.number) != nil:
		return fmt.Errorf("number %d of %q is not free", r.number, r.name)
	case t.index.find(hash, r.name) != nil:
		return fmt.Errorf("name %q is there twice", r.name)
	}
	return nil
}
