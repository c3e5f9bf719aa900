package status

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// patience is how long a browser may take to read an event before its stream ends.
const patience = 10 * time.Second

// mostStreams limits the concurrent streams, because each costs one walk of the table per tick.
const mostStreams = 16

// serveEvents sends a snapshot at once and one per tick, until the browser leaves.
func (h *Handler) serveEvents(w http.ResponseWriter, r *http.Request) {
	defer h.streams.Add(-1)
	if h.streams.Add(1) > mostStreams {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many are looking at this page", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	v := newView(r.URL.Query())
	every := h.Every
	if every <= 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for sendEvent(w, h.snapshot(v)) == nil {
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// sendEvent sends s as one event. JSON has no line break that would end it early.
func sendEvent(w http.ResponseWriter, s *snapshot) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(patience)) // only a test's writer has none
	if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
		return err
	}
	return c.Flush()
}
