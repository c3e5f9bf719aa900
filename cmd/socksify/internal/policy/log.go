package policy

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Log writes one line per event. It is safe for concurrent use. A nil *Log writes nothing.
type Log struct {
	mu    sync.Mutex
	w     io.Writer
	clock bool
}

// NewLog returns a [Log] that writes to w. A line begins with the date and time if clock is true, otherwise with
// "socksify: ".
func NewLog(w io.Writer, clock bool) *Log { return &Log{w: w, clock: clock} }

// Printf writes one line.
func (l *Log) Printf(format string, args ...any) {
	if l == nil {
		return
	}
	line := fmt.Sprintf(format, args...) + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	prefix := "socksify: "
	if l.clock {
		prefix = time.Now().Format("2006-01-02 15:04:05.000 ")
	}
	_, _ = io.WriteString(l.w, prefix+line) // there is nowhere to report an error of the log
}

// Write writes b, which may end with a newline, as a line. It makes a Log an io.Writer for package log.
func (l *Log) Write(b []byte) (int, error) {
	l.Printf("%s", trimNewline(b))
	return len(b), nil
}

func trimNewline(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		return b[:n-1]
	}
	return b
}

// Dialed writes the outcome of a dial that began at began.
func (l *Log) Dialed(network string, d Destination, who string, began time.Time, err error) {
	if l == nil {
		return
	}
	way := ""
	if d.Direct {
		way = " direct"
	}
	outcome := "ok"
	if err != nil {
		outcome = err.Error()
	}
	l.Printf("%s%s %v%s → %s %v", who, network, d, way, outcome, time.Since(began).Round(100*time.Microsecond))
}

// Ended writes the end of a connection that began at began, with the bytes that the program sent and received.
func (l *Log) Ended(network string, d Destination, who string, began time.Time, sent, received int64) {
	l.Printf("%s%s %v ended: %d bytes sent, %d received, %v", who, network, d, sent, received, time.Since(began).Round(time.Millisecond))
}
