// Package lab runs programs that others wrote under socksify, in network namespaces of its own, and counts every
// packet that leaves. It is a module of its own, so that what only its clients need stays out of socksify's.
package lab
