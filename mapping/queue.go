package mapping

// The ring's slots are in one of two queues, each in the order of used, or in none.
const (
	held = 1<<31 + iota // used is the last Assign: evictable when Hold has passed
	idle                // used is the last Release, after Hold or without an Assign: evictable
)

// links are a slot's neighbours in its queue. A queue is a circle through its end, and a slot in none is
// a circle by itself, so leaving a queue never asks which.
type links struct{ newer, older uint32 }

func (r *ring) links(i uint32) *links {
	if i >= held {
		return &r.ends[i-held]
	}
	return &r.slot(i).links
}

// oldest returns the first slot of a queue, or the queue itself when it is empty.
func (r *ring) oldest(queue uint32) uint32 { return r.links(queue).newer }

// unlink takes slot i out of its queue.
func (r *ring) unlink(i uint32) {
	l := r.links(i)
	r.links(l.newer).older, r.links(l.older).newer = l.older, l.newer
	*l = links{i, i}
}

// push makes slot i, used now, the newest of a queue.
func (r *ring) push(queue, i uint32, now int64) {
	r.slot(i).used = now
	end := r.links(queue)
	if end.older == i {
		return
	}
	r.unlink(i)
	*r.links(i) = links{newer: queue, older: end.older}
	r.links(end.older).newer = i
	end.older = i
}
