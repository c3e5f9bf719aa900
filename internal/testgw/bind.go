package testgw

import "context"

func (s *session) bind(ctx context.Context) error { return s.refuse(ctx, repCommandNotSupported) }
