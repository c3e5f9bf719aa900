//go:build !linux

package pod

import (
	"errors"
	"syscall"
)

func namespaces() *syscall.SysProcAttr { return nil }

func enter(string) error { return errors.ErrUnsupported }
