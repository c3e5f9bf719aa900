package testgw

import "context"

func (s *session) associate(ctx context.Context) error { return s.refuse(ctx, repCommandNotSupported) }
