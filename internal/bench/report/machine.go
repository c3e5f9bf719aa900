package report

import (
	"bufio"
	"fmt"
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
	var kib float64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kib); err == nil {
		memory = fmt.Sprintf(", %.0f GiB", kib/(1<<20))
	}
	return fmt.Sprintf("%s, %d cores%s; %s; %s", cpu, runtime.NumCPU(), memory, kernel, runtime.Version())
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
