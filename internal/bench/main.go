// Command bench compares the performance of this library with that of its alternatives, and writes
// docs/PERFORMANCE.md. It needs no network: its servers are child processes on loopback, in a network namespace if
// one can be made.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/sockslib/sockslib/internal/bench/link"
	"github.com/sockslib/sockslib/internal/bench/report"
)

var (
	quick = flag.Bool("quick", false, "run few rounds, to see that everything works; writes nothing unless -out is given")
	only  = flag.String("section", "", "run only these sections, separated by commas: "+sectionNames()+"; writes nothing unless -out is given")
	out   = flag.String("out", "", "folder to write PERFORMANCE.md and performance/*.svg to (default ../../docs)")
	prof  = flag.String("cpuprofile", "", "file to write this process's CPU profile to, without the servers")
	check = flag.Bool("check", false, "exit with status 1 if a figure misses its bound")
)

func main() {
	role := os.Getenv(roleVar)
	if role != "" && role != roleInner {
		exit(serve(role))
	}
	flag.Parse()
	if role == "" {
		if ran, err := isolated(); ran {
			exit(err)
		}
	}
	exit(run(role == roleInner))
}

func exit(err error) {
	var status *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &status): // the inner process has printed the reason
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func run(isolated bool) error {
	if isolated {
		if err := link.Loopback(); err != nil {
			return err
		}
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	l := &lab{quick: *quick, isolated: isolated}
	defer l.close()
	stopProfile, err := startProfile(*prof)
	if err != nil {
		return err
	}
	defer stopProfile()
	doc, err := measureSections(l, chosen)
	if err != nil {
		return err
	}
	if folder := outFolder(); folder != "" {
		if err := doc.Save(folder); err != nil {
			return err
		}
	}
	return judge(doc.Figures())
}

// startProfile writes this process's CPU profile to a file until stop is called, unless the file's name is empty.
func startProfile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

// measureSections runs the sections and prints the results of each.
func measureSections(l *lab, chosen []section) (*report.Document, error) {
	begun := time.Now()
	doc := &report.Document{Peers: peers()}
	for _, s := range chosen {
		since := time.Now()
		done, err := s.run(l)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		doc.Sections = append(doc.Sections, done)
		fmt.Printf("%s, %.0f s\n\n", done.Title, time.Since(since).Seconds())
		done.Print(os.Stdout)
		debug.FreeOSMemory()
	}
	doc.Took = time.Since(begun)
	return doc, nil
}

// outFolder returns the folder to write the document to, or "" for none: only a full run writes without -out.
func outFolder() string {
	if *out == "" && !*quick && *only == "" {
		return "../../docs"
	}
	return *out
}

// judge prints how many figures miss their bounds. With -check, it returns an error if any does.
func judge(figures []report.Figure) error {
	short := 0
	for _, f := range figures {
		if !f.Pass() {
			short++
		}
	}
	fmt.Printf("%d figures, %d miss their bounds\n", len(figures), short)
	if *check && short > 0 {
		return fmt.Errorf("%d figures miss their bounds", short)
	}
	return nil
}

func sectionNames() string {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// choose returns the sections that a comma-separated list names, or all if the list is empty.
func choose(list string) ([]section, error) {
	if list == "" {
		return sections, nil
	}
	var chosen []section
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(sections, func(s section) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no section %q", name)
		}
		chosen = append(chosen, sections[i])
	}
	return chosen, nil
}

// peers lists the alternatives, with the versions that this program was built with.
func peers() []string {
	versions := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
		}
	}
	list := []string{"direct connections by package net"}
	for _, path := range []string{
		"golang.org/x/net", "github.com/wzshiming/socks5", "github.com/txthinking/socks5", "github.com/Jigsaw-Code/outline-sdk", "github.com/miekg/dns", "github.com/quic-go/quic-go",
	} {
		list = append(list, path+" "+versions[path])
	}
	return append(list, "two Go maps with a sync.RWMutex")
}
