package mapping

// The pairs are in one of three queues, each in the order of used, or in none.
const (
	held    = 1<<31 + iota // used is an Assign, the last one or one shortly before
	renewed                // used is an Assign that followed the one it had in held; order is near enough
	idle                   // used is the last Release, after Hold or without an Assign

	queues = 3
)

// links are a slot's neighbours in its queue. A queue is a circle through its end, and a slot in none is
// a circle by itself, so leaving a queue never asks which.
type links struct{ newer, older uint32 }

func (r *ring) links(i uint32) *links {
	if i >= held {
		return &r.ends[i-held]
	}
	return &r.slots(i).links[i%chunkLen]
}

// oldest returns the first pair of a queue, or nil when it is empty.
func (r *ring) oldest(queue uint32) *pair {
	i := r.links(queue).newer
	if i == queue {
		return nil
	}
	return r.slots(i).pairs[i%chunkLen].Load()
}

// queued reports whether p is in a queue.
func (r *ring) queued(p *pair) bool {
	i := r.place(p)
	return r.links(i).newer != i
}

// unlink takes p out of its queue.
func (r *ring) unlink(p *pair) {
	i := r.place(p)
	l := r.links(i)
	r.links(l.newer).older, r.links(l.older).newer = l.older, l.newer
	*l = links{i, i}
}

// push makes p, with this time of use, the newest of a queue.
func (r *ring) push(queue uint32, p *pair, used int64) {
	r.unlink(p)
	p.used.Store(used)
	i, end := r.place(p), r.links(queue)
	*r.links(i) = links{newer: queue, older: end.older}
	r.links(end.older).newer = i
	end.older = i
}
