package dnstools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/need"
)

// tools are the programs, with their arguments for one question. Each is run once per mode.
var tools = []struct {
	program, debian string
	args            func(port string, q question) []string
	modes           [][]string
}{
	{"dig", "bind9-dnsutils", func(port string, q question) []string {
		return []string{"@" + serverHost, "-p", port, "+tries=1", "+time=5", "-t", q.qtype, "-q", q.name}
	}, [][]string{{}, {"+tcp"}, {"+noedns"}, {"+dnssec", "+cd", "+noadflag"}, {"+nocookie", "+bufsize=65535", "+norecurse"}, {"+tcp", "+dnssec", "+nsid", "+subnet=192.0.2.0/24"}}},
	{"kdig", "knot-dnsutils", func(port string, q question) []string {
		return []string{"@" + serverHost, "-p", port, "+noidn", "+retry=0", "+time=5", "-t", q.qtype, "-q", q.name}
	}, [][]string{{}, {"+tcp"}, {"+edns", "+dnssec", "+cdflag"}, {"+edns", "+padding=128", "+cookie"}}},
	{"drill", "ldnsutils", func(port string, q question) []string {
		return []string{"-p", port, q.name, "@" + serverHost, q.qtype}
	}, [][]string{{}, {"-t"}, {"-D"}, {"-b", "4096"}}},
}

// complaint matches the words with which the tools complain of an answer.
var complaint = regexp.MustCompile(`(?i)\b(warn\w*|error|bad|malformed|mismatch|unexpected|extra|trailing|fail\w*|truncated|timed? ?out|invalid (?:packet|message)|garbage|not implemented)\b`)

var status = regexp.MustCompile(`(?:status|rcode): (\w+)`)

// Each tool, in each mode, gets the expected answer to each question without a complaint.
func TestToolsGetTheExpectedAnswers(t *testing.T) {
	table, port := startServer(t)
	for _, tool := range tools {
		for _, mode := range tool.modes {
			t.Run(strings.Join(append([]string{tool.program}, mode...), " "), func(t *testing.T) {
				need.Path(t, tool.program, tool.debian)
				for _, q := range questions(t, table) {
					if tool.program == "drill" && q.qtype == "SVCB" || tool.program == "drill" && q.qtype == "HTTPS" {
						q.qtype = map[string]string{"SVCB": "TYPE64", "HTTPS": "TYPE65"}[q.qtype]
					}
					args := append(append([]string{}, mode...), tool.args(port, q)...)
					out, err := exec.Command(tool.program, args...).CombinedOutput()
					require.NoError(t, err, "%s %q: %s", tool.program, args, out)
					checkOutput(t, string(out))
					found := status.FindStringSubmatch(string(out))
					require.NotNil(t, found, string(out))
					q.check(t, table, found[1], answerSection(string(out)))
				}
			})
		}
	}
}

// checkOutput fails t if the output has a complaint outside the answer's records.
func checkOutput(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, ";") && !strings.Contains(line, "status:") && !strings.Contains(line, "rcode:") && !strings.Contains(line, "SOA") {
			require.NotRegexp(t, complaint, strings.TrimSuffix(line, "\n"), out)
		}
	}
}

// answerSection returns the data of the answer section's records, as the tool shows them.
func answerSection(out string) (data []string) {
	_, section, _ := strings.Cut(out, ";; ANSWER SECTION:\n")
	for line := range strings.Lines(section) {
		fields := strings.Fields(line)
		if len(fields) < 5 || strings.HasPrefix(line, ";") {
			break
		}
		data = append(data, strings.Join(fields[4:], " "))
	}
	return data
}

var lost = regexp.MustCompile(`Queries lost:\s+(\d+)`)
var completed = regexp.MustCompile(`Queries completed:\s+(\d+)`)
var codes = regexp.MustCompile(`(NOERROR|NXDOMAIN|SERVFAIL|FORMERR|REFUSED|NOTIMP) (\d+)`)

// dnsperf sends all questions many times, with many queries in flight, over UDP and TCP. None is lost, and each has
// the RCODE that it has alone.
func TestDnsperfLosesNoQuery(t *testing.T) {
	need.Path(t, "dnsperf", "dnsperf")
	const rounds = 50
	table, port := startServer(t)
	var lines strings.Builder
	want := map[string]int{}
	all := questions(t, table)
	for _, q := range all {
		fmt.Fprintf(&lines, "%s %s\n", q.name, q.qtype)
		want[q.rcode] += rounds
	}
	file := filepath.Join(t.TempDir(), "queries")
	require.NoError(t, os.WriteFile(file, []byte(lines.String()), 0o644))
	for _, mode := range [][]string{{}, {"-e", "-D"}, {"-m", "tcp"}} {
		t.Run(strings.Join(append([]string{"dnsperf"}, mode...), " "), func(t *testing.T) {
			args := append([]string{"-s", serverHost, "-p", port, "-d", file, "-n", strconv.Itoa(rounds), "-c", "4", "-q", "64", "-t", "5"}, mode...)
			out, err := exec.Command("dnsperf", args...).CombinedOutput()
			require.NoError(t, err, string(out))
			require.NotContains(t, string(out), "Warning")
			require.NotContains(t, string(out), "Error")
			require.Equal(t, []string{"0"}, lost.FindStringSubmatch(string(out))[1:], string(out))
			require.Equal(t, strconv.Itoa(rounds*len(all)), completed.FindStringSubmatch(string(out))[1])
			got := map[string]int{}
			for _, m := range codes.FindAllStringSubmatch(string(out), -1) {
				got[m[1]], err = strconv.Atoi(m[2])
				require.NoError(t, err)
			}
			require.Equal(t, want, got, string(out))
		})
	}
}
