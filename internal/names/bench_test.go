package names

import "testing"

func BenchmarkParse(b *testing.B) {
	for _, s := range []string{"www.example.com", "host0000123.example.com", "192.0.2.1", "WWW.example.com", "bücher.example"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
