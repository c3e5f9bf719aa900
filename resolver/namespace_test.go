package resolver

func runInNamespace() bool { return false }
