package report

import (
	"slices"
)

// Figures holds the measurements of one run of one implementation, or the medians of several
// runs. A figure that a row does not measure is 0.
type Figures struct {
	Rate        float64 `json:"messages_per_second,omitzero"`
	CPUMicros   float64 `json:"cpu_us_per_message,omitzero"`
	P50Micros   float64 `json:"p50_us,omitzero"`
	P99Micros   float64 `json:"p99_us,omitzero"`
	Allocs      float64 `json:"allocations_per_message"`
	RSS         float64 `json:"rss_mib,omitzero"`
	WireBytes   float64 `json:"wire_bytes_per_message,omitzero"`
	ConnKiB     float64 `json:"kib_per_connection,omitzero"`
	HeapKiB     float64 `json:"heap_kib_per_connection,omitzero"`
	StackKiB    float64 `json:"stack_kib_per_connection,omitzero"`
	PeakRatio   float64 `json:"peak_memory_per_byte_of_message,omitzero"`
	OverIdle    float64 `json:"peak_mib_over_idle,omitzero"`
	BundleKB    float64 `json:"gzip_kb,omitzero"`
	SentKB      float64 `json:"sent_kb,omitzero"`
	FirstMillis float64 `json:"first_load_ms,omitzero"`
	AgainMillis float64 `json:"second_load_ms,omitzero"`
	Description string  `json:"note,omitempty"`
}

// Median returns the median of each figure separately.
func Median(rounds []Figures) Figures {
	m := rounds[0]
	for _, field := range []func(*Figures) *float64{
		func(f *Figures) *float64 { return &f.Rate },
		func(f *Figures) *float64 { return &f.CPUMicros },
		func(f *Figures) *float64 { return &f.P50Micros },
		func(f *Figures) *float64 { return &f.P99Micros },
		func(f *Figures) *float64 { return &f.Allocs },
		func(f *Figures) *float64 { return &f.RSS },
		func(f *Figures) *float64 { return &f.WireBytes },
		func(f *Figures) *float64 { return &f.ConnKiB },
		func(f *Figures) *float64 { return &f.HeapKiB },
		func(f *Figures) *float64 { return &f.StackKiB },
		func(f *Figures) *float64 { return &f.PeakRatio },
		func(f *Figures) *float64 { return &f.OverIdle },
		func(f *Figures) *float64 { return &f.BundleKB },
		func(f *Figures) *float64 { return &f.SentKB },
		func(f *Figures) *float64 { return &f.FirstMillis },
		func(f *Figures) *float64 { return &f.AgainMillis },
	} {
		values := make([]float64, len(rounds))
		for i := range rounds {
			values[i] = *field(&rounds[i])
		}
		slices.Sort(values)
		n := len(values)
		*field(&m) = (values[(n-1)/2] + values[n/2]) / 2
	}
	return m
}
