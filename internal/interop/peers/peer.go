// Package peers starts independent programs for tests: SOCKS gateways, and servers and clients that are used with
// gateways. Each is a separate process with its own configuration, and ends with the test that started it. The machine
// is not changed: a peer that needs other files under /etc sees them only in its own mount namespace.
package peers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// patience limits the time until a peer listens.
const patience = 5 * time.Second

// Peer is a process that listens. Its methods are safe for concurrent use.
type Peer struct {
	Addr    string           // host:port of the first of Addrs
	Addrs   []netip.AddrPort // addresses that it listens at
	Version string           // of its package or module; may be empty

	name    string
	process *os.Process
	output  string        // path of its output
	ended   chan struct{} // closed when it has ended
}

// process is the configuration of a process.
type process struct {
	node    Node
	command []string
	files   map[string]string // absolute path → content that the process finds there
	listens []netip.AddrPort
	version string
}

// start starts a process and returns when it listens. If it does not, t fails. The process ends with t, and its output
// is logged if t failed.
func start(t testing.TB, p process) *Peer {
	t.Helper()
	output := filepath.Join(tempDir(t), "output")
	cmd := p.node.command(t, p.files, p.command)
	log, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = endsTogether(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peer := &Peer{
		Addrs: p.listens, Version: p.version, name: filepath.Base(p.command[0]),
		process: cmd.Process, output: output, ended: make(chan struct{}),
	}
	if len(p.listens) > 0 {
		peer.Addr = p.listens[0].String()
	}
	go func() { // owned by the Peer; ends with the process, for which Stop waits
		defer close(peer.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		peer.Stop()
		if t.Failed() {
			t.Logf("%s printed:\n%s", peer.name, peer.Output())
		}
	})
	if err := peer.listens(); err != nil {
		t.Fatalf("%s: %v", peer.name, err)
	}
	return peer
}

// listens waits until the process listens at all its addresses.
func (p *Peer) listens() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := notListening(p.process.Pid, p.Addrs)
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-p.ended:
			return errors.New("ended before it listened")
		case <-ctx.Done():
			return fmt.Errorf("does not listen at %v after %v", missing, patience)
		case <-tick.C:
		}
	}
}

// Output returns what the peer has printed so far.
func (p *Peer) Output() string {
	b, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Stop ends the peer and the processes that it has started, and waits for it. All of them halt first: a process of
// danted that has lost its parent refuses its client's request. Stopping it again does nothing.
func (p *Peer) Stop() {
	select {
	case <-p.ended:
		return
	default:
	}
	p.halt()
	_ = p.process.Kill() // an error means that it has ended
	<-p.ended
}
