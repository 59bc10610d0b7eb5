// Random reads of a file by goroutines, the counterpart of `storage read`: the same flags, the same
// line of JSON.
// CGO_ENABLED=0 go build -o readat readat.go
// readat --file F --way readat|raw --at-once N [--block N] [--direct] --ms N
//   readat: os.File.ReadAt, as programs do it.
//   raw: pread64 without telling the scheduler, so that a goroutine that waits keeps its P.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/bits"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const ramp = 100 * time.Millisecond

var (
	path   = flag.String("file", "", "")
	way    = flag.String("way", "readat", "")
	atOnce = flag.Int("at-once", 1, "")
	block  = flag.Int("block", 4096, "")
	direct = flag.Bool("direct", false, "")
	ms     = flag.Int("ms", 500, "")

	counts, over uint32
	operations   uint64
)

// Latencies by their highest bit and the six below it: to 1 in 64.
type histogram [64 * 64]uint64

func (h *histogram) add(ns uint64) {
	high := bits.Len64(ns | 64)
	h[(high-7)*64+int(ns>>uint(high-7)&63)]++
}

func (h *histogram) quantile(share float64) uint64 {
	var all, sum uint64
	for _, n := range h {
		all += n
	}
	for i, n := range h {
		sum += n
		if all > 0 && float64(sum) >= share*float64(all) {
			return uint64(64+i%64) << uint(i/64)
		}
	}
	return 0
}

type used struct {
	at                            time.Time
	cpu                           time.Duration
	switches, operations, threads uint64
}

func now() used {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return used{time.Now(), cpu, uint64(usage.Nvcsw + usage.Nivcsw), atomic.LoadUint64(&operations), threads()}
}

func threads() (n uint64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		fmt.Sscanf(line, "Threads: %d", &n)
	}
	return n
}

// A buffer that direct reads can take.
func buffer() []byte {
	bytes := make([]byte, *block+4096)
	past := int(uintptr(unsafe.Pointer(&bytes[0])) & 4095)
	at := (4096 - past) & 4095
	return bytes[at : at+*block]
}

func read(file *os.File, fd uintptr, into []byte, offset int64) (int, error) {
	if *way != "raw" {
		return file.ReadAt(into, offset)
	}
	at := uintptr(unsafe.Pointer(&into[0]))
	n, _, e := syscall.RawSyscall6(syscall.SYS_PREAD64, fd, at, uintptr(len(into)), uintptr(offset), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func reader(file *os.File, fd uintptr, blocks, seed uint64, latency *histogram) {
	into, state := buffer(), seed*0x9e3779b97f4a7c15+1
	for atomic.LoadUint32(&over) == 0 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		begun := time.Now()
		n, err := read(file, fd, into, int64(state%blocks)*int64(*block))
		if err != nil || n != *block {
			log.Fatal("a read of ", n, " bytes: ", err)
		}
		atomic.AddUint64(&operations, 1)
		if atomic.LoadUint32(&counts) != 0 {
			latency.add(uint64(time.Since(begun)))
		}
	}
}

func main() {
	flag.Parse()
	flags := os.O_RDONLY
	if *direct {
		flags |= syscall.O_DIRECT
	}
	file, err := os.OpenFile(*path, flags, 0)
	if err != nil {
		log.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		log.Fatal(err)
	}
	// The number alone: Fd() would change how the file is read.
	var fd uintptr
	raw, err := file.SyscallConn()
	if err == nil {
		err = raw.Control(func(number uintptr) { fd = number })
	}
	if err != nil {
		log.Fatal(err)
	}
	all := make([]histogram, *atOnce)
	var readers sync.WaitGroup
	for i := range all {
		readers.Add(1)
		go func(i int) {
			defer readers.Done()
			reader(file, fd, uint64(info.Size())/uint64(*block), uint64(i)+1, &all[i])
		}(i)
	}
	time.Sleep(ramp)
	atomic.StoreUint32(&counts, 1)
	before := now()
	time.Sleep(time.Duration(*ms) * time.Millisecond)
	after := now()
	atomic.StoreUint32(&over, 1)
	readers.Wait()
	var latency histogram
	for i := range all {
		for j, n := range all[i] {
			latency[j] += n
		}
	}
	fmt.Printf("{\"operations\":%d,\"seconds\":%f,\"cpu_ns\":%d,\"switches\":%d,\"threads\":%d,\"p50_ns\":%d,\"p99_ns\":%d}\n",
		after.operations-before.operations, after.at.Sub(before.at).Seconds(), after.cpu-before.cpu,
		after.switches-before.switches, after.threads, latency.quantile(0.5), latency.quantile(0.99))
}
