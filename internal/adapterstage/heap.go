package adapterstage

import "runtime"

// Heap is how many bytes are in use, once what nobody uses is gone.
func Heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one freed of pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
