package namespace

import "golang.org/x/sys/unix"

// Inside reports whether this process is in a network namespace that [Start] made.
func Inside() bool {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq(DeviceName)
	if err != nil || unix.IoctlIfreq(s, unix.SIOCGIFADDR, r) != nil {
		return false
	}
	a, err := r.Inet4Addr()
	return err == nil && string(a) == string(device4.AsSlice())
}
