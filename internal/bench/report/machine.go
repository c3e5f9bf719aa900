package report

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
)

// machine describes the machine: processor, cores, memory, kernel and Go version.
func machine() string {
	cpu, kernel := runtime.GOARCH, runtime.GOOS
	if name := field("/proc/cpuinfo", "model name"); name != "" {
		cpu = name
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-") // the rest names a build
		kernel = "Linux " + version
	}
	memory := ""
	if total := memInfo("MemTotal"); total > 0 {
		memory = fmt.Sprintf(", %.0f GiB", total/(1<<30))
	}
	return fmt.Sprintf("%s, %d cores%s; %s; %s", cpu, runtime.NumCPU(), memory, kernel, runtime.Version())
}

// AvailableMemory returns the number of bytes that can be used without swapping, or infinity if the system does
// not report it.
func AvailableMemory() float64 {
	if available := memInfo("MemAvailable"); available > 0 {
		return available
	}
	return math.Inf(1)
}

// memInfo returns a value of /proc/meminfo in bytes, or 0 if there is none.
func memInfo(key string) float64 {
	var kib float64
	if _, err := fmt.Sscan(field("/proc/meminfo", key), &kib); err != nil {
		return 0
	}
	return kib * 1024
}

// field returns the first value of key in a file of "key : value" lines, or "".
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
