package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// patience is how long a browser may take to read an event before it is given up.
const patience = 10 * time.Second

// serveEvents sends the status now and then at each tick, until the browser leaves.
func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	v := newView(r.URL.Query())
	every := p.Every
	if every <= 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for sendEvent(w, p.status(v)) == nil {
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// sendEvent sends s as one event. JSON has no line break that would end it early.
func sendEvent(w http.ResponseWriter, s *status) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(patience)) // a writer that has none is a test's
	if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil {
		return err
	}
	return c.Flush()
}
