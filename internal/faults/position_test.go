package faults

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

// noises are data that a gateway may send and that are not SOCKS.
var noises = map[string]string{
	"zeros":       strings.Repeat("\x00", 40),
	"ones":        strings.Repeat("\xff", 40),
	"HTTP":        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
	"SSH":         "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
	"TLS alert":   "\x15\x03\x01\x00\x02\x02\x28",
	"credentials": secretPassword + secretUser + secretPassword,
}

// positions returns the cells with a fault at each byte that the gateway sends.
func positions(r request, w way, credentials bool) (cells []cell) {
	answers := r.answers(credentials)
	total := 0
	for _, a := range answers {
		total += a.length
	}
	all := total
	if r.streams {
		all += len(said)
	}
	add := func(c cell, format string, args ...any) {
		c.name = fmt.Sprintf(format, args...)
		cells = append(cells, c)
	}
	same := func(f testgw.Fault) func() testgw.Fault { return func() testgw.Fault { return f } }
	for n := range all + 1 {
		stage, _ := at(answers, n)
		add(cell{fault: same(testgw.Fault{End: testgw.FIN, After: n}), at: stage, want: afterFIN(r, n, total)}, "FIN after %d", n)
		add(cell{fault: same(testgw.Fault{End: testgw.RST, After: n}), at: stage, want: afterRST(r, w, n, total)}, "RST after %d", n)
		if 0 < n && n < all {
			add(cell{fault: same(testgw.Fault{Split: n}), want: whole}, "split at %d", n)
		}
	}
	for n := range total {
		stage, _ := at(answers, n)
		add(cell{fault: same(silentFrom(n)), at: stage, silent: true, want: timesOut}, "silent after %d", n)
		if r.name == "ASSOCIATE" && n >= total-6 {
			continue // the noise would be the relay's address: see TestRelayAddressHasLimits in socks
		}
		for name, noise := range noises {
			add(cell{fault: noisyFrom(answers, n, noise), at: stage, want: amidst(r, noise)}, "%s after %d", name, n)
		}
	}
	add(cell{fault: same(testgw.Fault{Drip: true}), want: whole}, "one byte per segment")
	if r.streams {
		add(cell{fault: same(testgw.Fault{Join: true}), want: whole}, "joined with the first data")
	}
	return cells
}

// afterFIN returns the outcome of an orderly end after n bytes: within the answers it is an error, within the
// stream it is the end of the stream.
func afterFIN(r request, n, total int) outcome {
	switch {
	case n < total:
		return fails(socks.ErrGateway)
	case r.name == "ASSOCIATE":
		return either(whole, fails(socks.ErrGateway)) // the answer and the end race
	case r.name == "RESOLVE":
		return whole
	}
	return func(heard string, err error) error {
		if err != nil || heard != said[:n-total] {
			return errors.New("not the data before the end")
		}
		return nil
	}
}

// afterRST returns the outcome of a reset after n bytes. It may overtake what was sent before, but is never taken for
// an end.
func afterRST(r request, w way, n, total int) outcome {
	broken := either(fails(socks.ErrGateway), fails(syscall.ECONNRESET))
	if n < total {
		return fails(socks.ErrGateway)
	}
	if !r.streams || !w.resets {
		return either(afterFIN(r, n, total), broken)
	}
	return func(heard string, err error) error {
		if !strings.HasPrefix(said, heard) {
			return errors.New("not the destination's data")
		}
		return broken(heard, err)
	}
}

// amidst returns the outcome of noise: an error, or if a part of the noise is taken for an address, the rest of it
// as the stream.
func amidst(r request, noise string) outcome {
	return func(heard string, err error) error {
		if r.streams && !strings.Contains(noise, heard) {
			return errors.New("data that was not sent")
		}
		return nil
	}
}

// at returns the answer that has the byte n, and the offset of the byte in it. Both are zero for a byte after the
// answers.
func at(answers []answer, n int) (stage testgw.Stage, offset int) {
	for _, a := range answers {
		if n < a.length {
			return a.stage, n
		}
		n -= a.length
	}
	return 0, 0
}

// silentFrom returns the Fault of a gateway that sends n bytes and then stays silent for ever.
func silentFrom(n int) testgw.Fault { return testgw.Fault{End: testgw.Stall, After: n} }

func noisyFrom(answers []answer, n int, noise string) func() testgw.Fault {
	stage, offset := at(answers, n)
	return func() testgw.Fault {
		return testgw.Fault{
			Answer: replaced(stage, func(b []byte) []byte { return append(slices.Clone(b[:offset]), noise...) }),
			End:    testgw.FIN, After: n + len(noise),
		}
	}
}

// replaced returns a Fault's Answer that changes one answer.
func replaced(at testgw.Stage, change func([]byte) []byte) func(testgw.Stage, []byte) []byte {
	return func(stage testgw.Stage, b []byte) []byte {
		if stage == at {
			return change(b)
		}
		return b
	}
}
