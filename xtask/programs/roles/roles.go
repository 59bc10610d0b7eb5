// Goroutines whose part is known.
//
//	roles mutex  8 that fight over a sync.Mutex
//	roles serve  16 that serve a connection each; another process asks, with pauses
//	roles ticks  32 that sleep a millisecond, and compute a little
//	roles jobs   1 that submits over a channel, and 4 that compute
//
// It says "ready" and goes on for 30 s.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

const work = 20 * time.Microsecond

func spin(long time.Duration) {
	for begun := time.Now(); time.Since(begun) < long; {
	}
}

func fights(lock *sync.Mutex) {
	for {
		lock.Lock()
		spin(work)
		lock.Unlock()
	}
}

func serves(c net.Conn) {
	message := make([]byte, 64)
	for {
		if _, err := io.ReadFull(c, message); err != nil {
			return
		}
		spin(work)
		if _, err := c.Write(message); err != nil {
			return
		}
	}
}

// Asks again and again, half a millisecond after each answer.
func asks(address string) {
	c, err := net.Dial("tcp", address)
	message := make([]byte, 64)
	for err == nil {
		if _, err = c.Write(message); err == nil {
			_, err = io.ReadFull(c, message)
		}
		time.Sleep(500 * time.Microsecond)
	}
}

func listen() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	client := exec.Command(os.Args[0], "ask", l.Addr().String())
	if err := client.Start(); err != nil {
		panic(err)
	}
	for i := 0; i < 16; i++ {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go serves(c)
	}
}

func main() {
	kind := "none"
	if len(os.Args) > 1 {
		kind = os.Args[1]
	}
	switch kind {
	case "mutex":
		lock := new(sync.Mutex)
		for i := 0; i < 8; i++ {
			go fights(lock)
		}
	case "serve":
		listen()
	case "ask":
		for i := 0; i < 16; i++ {
			go asks(os.Args[2])
		}
	case "ticks":
		for i := 0; i < 32; i++ {
			go func() {
				for {
					time.Sleep(time.Millisecond)
					spin(work)
				}
			}()
		}
	case "jobs":
		jobs := make(chan int)
		for i := 0; i < 4; i++ {
			go func() {
				for range jobs {
					spin(work)
				}
			}()
		}
		go func() {
			for {
				jobs <- 1
				spin(3 * work)
			}
		}()
	default:
		os.Exit(2)
	}
	if kind != "ask" {
		fmt.Println("ready")
	}
	time.Sleep(30 * time.Second)
}
