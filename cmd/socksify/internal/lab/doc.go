// Package lab tests other programs under socksify, in separate network namespaces, and counts every packet that
// leaves. It is a separate module, so that the dependencies of its clients stay out of socksify's module.
package lab
