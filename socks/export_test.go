package socks

// Unreachable is unreachable.
var Unreachable = unreachable
