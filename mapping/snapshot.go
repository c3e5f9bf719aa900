package mapping

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"
	"time"
)

// A snapshot is a header, a record for each pair, and a CRC-32C of both, all big-endian. The header has
// the magic and the version, the two prefixes, the cursor, and how much follows; the ring's length is
// there because pairs that had a slot each may not have one in a shorter ring.
const (
	magic     = "SOCKSMAP"
	version   = 1
	headerLen = len(magic) + 1 + 5 + 17 + 1 + 4 + 4 + 8
	fixedLen  = 4 + 8 + 8 + 1 // of a record, before its name
	maxName   = 255
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WriteTo writes a snapshot of the table for [Read], and returns how many bytes that took. Leases are
// not kept. The table may be used meanwhile: the snapshot shows one moment.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	h, records := t.snapshot()
	count, sum := countingWriter{w: w}, crc32.New(castagnoli)
	buffer := bufio.NewWriterSize(io.MultiWriter(&count, sum), 64<<10)
	b := h.append(nil)
	for _, r := range records {
		if _, err := buffer.Write(b); err != nil {
			return count.n, err
		}
		r.assigned, r.used = t.toWall(r.assigned), t.toWall(r.used)
		b = r.append(b[:0])
	}
	if _, err := buffer.Write(b); err != nil {
		return count.n, err
	}
	if err := buffer.Flush(); err != nil {
		return count.n, err
	}
	_, err := count.Write(sum.Sum(b[:0]))
	return count.n, err
}

// countingWriter counts what w took.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// snapshot copies what WriteTo writes, so that the lock is not held for as long as that takes.
func (t *Table) snapshot() (header, []record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := header{ipv4: t.space.ipv4, ipv6: t.space.ipv6, ringBits: t.ring.bits(), next: t.next, count: uint32(t.count.Names)}
	records := make([]record, 0, t.count.Names)
	for p := range t.ring.all() {
		records = append(records, record{p.name(), p.number, p.assigned.Load(), p.used.Load()})
		h.length += uint64(fixedLen + int(p.length))
	}
	return h, records
}

// toWall turns a time of the table's into one of the file's, fromWall the reverse: what seems to be in
// the future is now.
func (t *Table) toWall(at int64) int64 {
	if at == never {
		return never
	}
	return t.clock.base.Add(time.Duration(at)).UnixNano()
}

func (t *Table) fromWall(at int64) int64 {
	if at == never {
		return never
	}
	since := time.Unix(0, at).Sub(t.clock.base)
	return min(max(int64(since), -1<<62), t.clock.read())
}

// Read returns a table with the pairs of a snapshot. They are used as if the table had never stopped: an
// address that was evicted or flushed before stays ErrStale, the next name gets the next address, and
// Hold goes on. It is an error when c has other prefixes than the snapshot, or a Size below the names in
// it, and when any byte of it is missing or changed. Read takes the snapshot from r and nothing after it.
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
	records, err := readRecords(bufio.NewReader(io.LimitReader(summed, int64(h.length))), h)
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
	t.next = h.next
	t.clear(max(t.ring.bits(), h.ringBits))
	return t.restore(records)
}

// accepts checks a header against the table's configuration, and that its figures are within what a
// table can have, so that no more is read or allocated than that takes.
func (t *Table) accepts(h header) error {
	switch s := &t.space; {
	case h.ipv4 != s.ipv4 || h.ipv6 != s.ipv6:
		return fmt.Errorf("it is of %v and %v, not of %v and %v", h.ipv4, h.ipv6, s.ipv4, s.ipv6)
	case uint64(h.count) > uint64(t.size):
		return fmt.Errorf("it has %d names, more than %d", h.count, t.size)
	case h.length > uint64(h.count)*(fixedLen+maxName):
		return fmt.Errorf("%d bytes are too many for %d names", h.length, h.count)
	case h.next < s.first() || h.next >= s.size:
		return fmt.Errorf("cursor %d is outside of the space", h.next)
	case int(h.ringBits) > bits.Len32(s.size-1):
		return fmt.Errorf("ring of 2^%d slots is longer than the space", h.ringBits)
	}
	return nil
}

// readRecords reads the records from exactly as many bytes as the header says. What it allocates grows
// with what was read, not with what the header says.
func readRecords(r *bufio.Reader, h header) ([]record, error) {
	var records []record
	for range h.count {
		rec, err := readRecord(r)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		return nil, errors.New("records are shorter than announced")
	}
	return records, nil
}

// restore puts the pairs of a snapshot into the empty table.
func (t *Table) restore(records []record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.read()
	for i := range records {
		r := &records[i]
		r.assigned = t.fromWall(r.assigned)
		r.used = max(t.fromWall(r.used), r.assigned)
		if t.within(r.assigned, now) {
			r.used = r.assigned // idle when it was written, if Hold was shorter
		}
	}
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.used, b.used) })
	for _, r := range records {
		key, _, err := t.canonical(r.name)
		if err != nil {
			return fmt.Errorf("name %q: %w", r.name, err)
		}
		if key != r.name {
			return fmt.Errorf("name %q is not in canonical form", r.name)
		}
		if r.number < t.space.first() || r.number >= t.space.size || !t.ring.free(r.number) {
			return fmt.Errorf("number %d of %q is not free", r.number, r.name)
		}
		hash := t.index.hash(key)
		if t.index.find(hash, key) != nil {
			return fmt.Errorf("name %q is there twice", r.name)
		}
		p := t.arena.pair(key, r.number, r.used)
		p.assigned.Store(r.assigned)
		t.add(hash, p)
		if r.used == r.assigned {
			t.ring.push(held, p, r.used)
		} else {
			t.ring.push(idle, p, r.used)
		}
	}
	return nil
}
