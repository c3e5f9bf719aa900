package report

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
)

// machine describes what the figures are of.
func machine() string {
	cpu, kernel := runtime.GOARCH, runtime.GOOS
	if name := field("/proc/cpuinfo", "model name"); name != "" {
		cpu = name
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-") // what follows names a build, not a kernel
		kernel = "Linux " + version
	}
	memory := ""
	if total := octets("MemTotal"); total > 0 {
		memory = fmt.Sprintf(", %.0f GiB", total/(1<<30))
	}
	return fmt.Sprintf("%s, %d cores%s; %s; %s", cpu, runtime.NumCPU(), memory, kernel, runtime.Version())
}

// AvailableMemory returns how many octets can be used without swapping, and infinity where that is not told.
func AvailableMemory() float64 {
	if available := octets("MemAvailable"); available > 0 {
		return available
	}
	return math.Inf(1)
}

// octets returns a figure of /proc/meminfo, or 0.
func octets(key string) float64 {
	var kib float64
	if _, err := fmt.Sscan(field("/proc/meminfo", key), &kib); err != nil {
		return 0
	}
	return kib * 1024
}

// field returns a value of a file of "key : value" lines, or "".
func field(path, key string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
