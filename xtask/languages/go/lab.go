// Servers and clients in Go: a goroutine per connection, which is async underneath.
// CGO_ENABLED=0 go build -o lab lab.go
// lab serve [--protocol tcp|http|udp] [--bytes N] [--work N] [--think-us N]
// lab ask --port P [--connections N] [--requests N] and the same
// lab spin-rate
// README.md beside this folder says what all languages have in common.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const words = 128

var (
	_           = flag.String("mode", "goroutines", "")
	protocol    = flag.String("protocol", "tcp", "")
	size        = flag.Int("bytes", 64, "")
	iterations  = flag.Uint64("work", 0, "")
	port        = flag.Int("port", 0, "")
	connections = flag.Int("connections", 1, "")
	requests    = flag.Uint64("requests", 0, "")
	thinkUs     = flag.Int("think-us", 0, "")

	errors uint64
	jobs   []*job
	lock   sync.Mutex
)

// The work and the count of one connection. Only its owner writes.
type job struct {
	scratch            [words]uint64
	operations, digest uint64
}

func newJob() *job {
	j := new(job)
	lock.Lock()
	jobs = append(jobs, j)
	lock.Unlock()
	return j
}

//go:noinline
func work(scratch *[words]uint64, state, times uint64) uint64 {
	for i := uint64(0); i < times; i++ {
		state = (state ^ scratch[i%words]) * 0x9e3779b97f4a7c15
		state = state<<23 | state>>41
		scratch[i%words] = state
	}
	return state
}

func (j *job) perform(message []byte) {
	result := work(&j.scratch, binary.LittleEndian.Uint64(message), *iterations)
	atomic.StoreUint64(&j.digest, j.digest+result)
	atomic.StoreUint64(&j.operations, j.operations+1)
}

// CLOCK_MONOTONIC, the clock of all the others.
func now() int64 {
	var at syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&at)), 0)
	return at.Nano()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "lab:", err)
	atomic.AddUint64(&errors, 1)
}

func die(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// The peer's latency, if it has one.
func think() {
	if *thinkUs > 0 {
		time.Sleep(time.Duration(*thinkUs) * time.Microsecond)
	}
}

func serveTCP(c net.Conn) {
	defer c.Close()
	j, buffer := newJob(), make([]byte, *size)
	for {
		if _, err := io.ReadFull(c, buffer); err != nil {
			return
		}
		think()
		j.perform(buffer)
		if _, err := c.Write(buffer); err != nil {
			fail(err)
			return
		}
	}
}

func serveHTTP(listener net.Listener) {
	body := bytes.Repeat([]byte("x"), *size)
	length := fmt.Sprint(*size)
	pool := sync.Pool{New: func() any { return newJob() }}
	http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		think()
		j := pool.Get().(*job)
		j.perform([]byte("GET / HT"))
		pool.Put(j)
		w.Header().Set("Content-Length", length)
		w.Write(body)
	}))
}

func serveUDP(c *net.UDPConn) {
	j, buffer := newJob(), make([]byte, *size+8)
	for {
		got, from, err := c.ReadFromUDPAddrPort(buffer)
		die(err)
		if *thinkUs > 0 {
			message := append([]byte(nil), buffer[:got]...)
			go func() { think(); c.WriteToUDPAddrPort(message, from) }()
			continue
		}
		j.perform(buffer)
		if _, err := c.WriteToUDPAddrPort(buffer[:got], from); err != nil {
			fail(err)
		}
	}
}

func serve() int {
	if *protocol == "udp" {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		die(err)
		go serveUDP(c)
		return c.LocalAddr().(*net.UDPAddr).Port
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	die(err)
	if *protocol == "http" {
		go serveHTTP(listener)
	} else {
		go func() {
			for {
				c, err := listener.Accept()
				die(err)
				go serveTCP(c)
			}
		}()
	}
	return listener.Addr().(*net.TCPAddr).Port
}

// Asks by bytes: TCP and UDP.
func askBytes(c net.Conn, number uint64) {
	j, request, reply := newJob(), bytes.Repeat([]byte("x"), *size), make([]byte, *size)
	for sent := uint64(1); *requests == 0 || sent <= *requests; sent++ {
		binary.LittleEndian.PutUint64(request, number<<40|sent)
		_, err := c.Write(request)
		die(err)
		_, err = io.ReadFull(c, reply)
		die(err)
		if !bytes.Equal(request, reply) {
			fail(fmt.Errorf("a reply that differs from its request"))
		}
		j.perform(reply)
	}
}

// Asks by net/http, on a connection that is kept.
func askHTTP() {
	j := newJob()
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	url := fmt.Sprintf("http://127.0.0.1:%d/", *port)
	for sent := uint64(1); *requests == 0 || sent <= *requests; sent++ {
		reply, err := client.Get(url)
		die(err)
		got, err := io.Copy(io.Discard, reply.Body)
		die(err)
		reply.Body.Close()
		if int(got) != *size {
			fail(fmt.Errorf("a reply of %d bytes", got))
		}
		j.perform([]byte("HTTP/1.1"))
	}
}

func ask() {
	for number := 0; number < *connections; number++ {
		if *protocol == "http" {
			go askHTTP()
			continue
		}
		c, err := net.Dial(*protocol+"4", fmt.Sprintf("127.0.0.1:%d", *port))
		die(err)
		go askBytes(c, uint64(number))
	}
}

func spinRate() {
	var scratch [words]uint64
	const times = 2_000_000
	fastest := int64(1) << 62
	for i := uint64(0); i < 20; i++ {
		begun := now()
		work(&scratch, i, times)
		if took := now() - begun; took < fastest {
			fastest = took
		}
	}
	fmt.Printf("{\"iterations_per_us\":%f}\n", float64(times)*1e3/float64(fastest))
}

func sums() (operations, digest uint64) {
	lock.Lock()
	defer lock.Unlock()
	for _, j := range jobs {
		operations += atomic.LoadUint64(&j.operations)
		digest += atomic.LoadUint64(&j.digest)
	}
	return
}

func main() {
	if len(os.Args) < 2 {
		os.Exit(2)
	}
	flag.CommandLine.Parse(os.Args[2:])
	switch os.Args[1] {
	case "spin-rate":
		spinRate()
		return
	case "serve":
		fmt.Printf("{\"pid\":%d,\"port\":%d}\n", os.Getpid(), serve())
	case "ask":
		ask()
		fmt.Printf("{\"pid\":%d,\"warm\":true}\n", os.Getpid())
	default:
		os.Exit(2)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == "count" {
			operations, _ := sums()
			fmt.Printf("{\"operations\":%d,\"now_ns\":%d}\n", operations, now())
		}
	}
	operations, digest := sums()
	fmt.Printf("{\"operations\":%d,\"errors\":%d,\"digest\":\"%016x\"}\n", operations, atomic.LoadUint64(&errors), digest)
	os.Exit(0)
}
