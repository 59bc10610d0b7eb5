/* Servers and clients in C: a thread per connection, and one epoll loop.
 * cc -O2 -static -o lab lab.c -pthread
 * lab serve --mode threads|epoll [--protocol tcp|http|udp] [--bytes N] [--work N]
 * lab ask --mode threads|epoll --port P [--connections N] [--requests N] and the same
 * lab spin-rate
 * README.md beside this folder says what all languages have in common. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 128, HEAD = 512, EVENTS = 64, UDP_THREADS = 8 };
enum protocol { TCP, HTTP, UDP };

static enum protocol protocol = TCP;
static size_t bytes = 64, room;
static uint64_t iterations, requests;
static int connections = 1, port;
static const char *mode = "threads";
static char *answer;
static size_t answer_length;
static uint64_t errors;

/* The work and the count of one connection. Only its owner writes. */
struct job {
    uint64_t scratch[WORDS], operations, digest;
    struct job *next;
};
static _Atomic(struct job *) jobs;

static struct job *new_job(void)
{
    struct job *job = aligned_alloc(64, (sizeof *job + 63) / 64 * 64);
    memset(job, 0, sizeof *job);
    job->next = jobs;
    while (!__atomic_compare_exchange_n((struct job **)&jobs, &job->next, job, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return job;
}

static __attribute__((noinline)) uint64_t work(uint64_t *scratch, uint64_t state, uint64_t times)
{
    for (uint64_t i = 0; i < times; i++) {
        state = (state ^ scratch[i % WORDS]) * 0x9e3779b97f4a7c15u;
        state = state << 23 | state >> 41;
        scratch[i % WORDS] = state;
    }
    return state;
}

static void perform(struct job *job, const char *message)
{
    uint64_t seed;
    memcpy(&seed, message, sizeof seed);
    uint64_t result = work(job->scratch, seed, iterations);
    __atomic_store_n(&job->digest, job->digest + result, __ATOMIC_RELAXED);
    __atomic_store_n(&job->operations, job->operations + 1, __ATOMIC_RELAXED);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "lab: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void fail(const char *what)
{
    fprintf(stderr, "lab: %s: %s\n", what, strerror(errno));
    __atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
}

/* Length of the message that begins the buffer, 0 while it is not whole. */
static size_t whole(const char *at, size_t length, int is_reply)
{
    if (protocol != HTTP)
        return length >= bytes ? bytes : 0;
    const char *end = memmem(at, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - at) + 4;
    if (!is_reply)
        return head;
    const char *field = memmem(at, head, "Content-Length: ", 16);
    size_t total = head + (field ? strtoul(field + 16, 0, 10) : 0);
    return length >= total ? total : 0;
}

static int write_all(int fd, const char *from, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, from, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        from += done;
        length -= (size_t)done;
    }
    return 0;
}

/* A connection of a server, or of a client. */
struct connection {
    int fd;
    struct job *job;
    char *buffer, *request;
    size_t filled, left;
    const char *unsent;
    uint64_t number, sent;
};

static struct connection *new_connection(int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    int on = 1;
    if (protocol != UDP)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->fd = fd;
    c->job = new_job();
    c->buffer = malloc(room);
    return c;
}

static void free_connection(struct connection *c)
{
    close(c->fd);
    free(c->buffer);
    free(c->request);
    free(c);
}

static void spawn(void *(*body)(void *), void *with)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    if (pthread_create(&thread, &attributes, body, with) != 0)
        die("starting a thread");
}

/* Takes the bytes that are answered off the buffer. What is left is the next message. */
static void take(struct connection *c, size_t length)
{
    memmove(c->buffer, c->buffer + length, c->filled - length);
    c->filled -= length;
}

static void *serve_blocking(void *with)
{
    struct connection *c = with;
    for (;;) {
        size_t length;
        while (!(length = whole(c->buffer, c->filled, 0))) {
            ssize_t got = read(c->fd, c->buffer + c->filled, room - c->filled);
            if (got <= 0) {
                free_connection(c);
                return 0;
            }
            c->filled += (size_t)got;
        }
        perform(c->job, c->buffer);
        if (write_all(c->fd, protocol == HTTP ? answer : c->buffer, protocol == HTTP ? answer_length : length) != 0) {
            fail("sending a reply");
            free_connection(c);
            return 0;
        }
        take(c, length);
    }
}

static void *accept_blocking(void *with)
{
    int listener = *(int *)with;
    for (;;) {
        int fd = accept(listener, 0, 0);
        if (fd < 0)
            die("accept");
        spawn(serve_blocking, new_connection(fd));
    }
}

/* Sends what is unsent. 1: all is sent, 0: the socket is full, -1: it failed. */
static int flush(int epoll, struct connection *c)
{
    while (c->left > 0) {
        ssize_t done = write(c->fd, c->unsent, c->left);
        if (done < 0 && errno == EAGAIN) {
            struct epoll_event both = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
            epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &both);
            return 0;
        }
        if (done <= 0)
            return -1;
        c->unsent += done;
        c->left -= (size_t)done;
    }
    return 1;
}

/* One read for each event, then replies to all messages that are whole. -1: it is over. */
static int serve_ready(int epoll, struct connection *c, uint32_t events)
{
    size_t length;
    if (events & EPOLLOUT) {
        int done = flush(epoll, c);
        if (done <= 0)
            return done;
        struct epoll_event in = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &in);
        if (protocol != HTTP)
            take(c, bytes);
    } else {
        ssize_t got = read(c->fd, c->buffer + c->filled, room - c->filled);
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got <= 0)
            return -1;
        c->filled += (size_t)got;
    }
    while ((length = whole(c->buffer, c->filled, 0))) {
        perform(c->job, c->buffer);
        c->unsent = protocol == HTTP ? answer : c->buffer;
        c->left = protocol == HTTP ? answer_length : length;
        if (protocol == HTTP)
            take(c, length);
        int done = flush(epoll, c);
        if (done <= 0)
            return done;
        if (protocol != HTTP)
            take(c, length);
    }
    return 0;
}

static void *serve_epoll(void *with)
{
    int listener = *(int *)with, epoll = epoll_create1(0);
    struct epoll_event in = {.events = EPOLLIN, .data.ptr = 0}, ready[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &in);
    for (;;) {
        int count = epoll_wait(epoll, ready, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct connection *c = ready[i].data.ptr;
            if (c) {
                if (serve_ready(epoll, c, ready[i].events) < 0)
                    free_connection(c);
                continue;
            }
            int fd = accept4(listener, 0, 0, SOCK_NONBLOCK);
            if (fd < 0)
                continue;
            in.data.ptr = new_connection(fd);
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &in);
        }
    }
}

/* UDP: whoever has a datagram answers it. `epoll` waits on a loop, `threads` in recvfrom. */
static void *serve_datagrams(void *with)
{
    int fd = *(int *)with, loop = strcmp(mode, "epoll") == 0, epoll = loop ? epoll_create1(0) : -1;
    struct epoll_event in = {.events = EPOLLIN}, ready;
    struct job *job = new_job();
    char *buffer = malloc(room);
    if (loop)
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &in);
    for (;;) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        if (loop)
            epoll_wait(epoll, &ready, 1, -1);
        ssize_t got = recvfrom(fd, buffer, room, loop ? MSG_DONTWAIT : 0, (struct sockaddr *)&from, &length);
        if (got < 8)
            continue;
        perform(job, buffer);
        if (sendto(fd, buffer, (size_t)got, 0, (struct sockaddr *)&from, length) != got)
            fail("sending a datagram");
    }
}

static int serve(void)
{
    static int listener;
    int on = 1, loop = strcmp(mode, "epoll") == 0;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    listener = socket(AF_INET, protocol == UDP ? SOCK_DGRAM : SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || (protocol != UDP && listen(listener, 4096) != 0))
        die("listening");
    getsockname(listener, (struct sockaddr *)&at, &length);
    if (protocol == UDP)
        for (int i = 0; i < (loop ? 1 : UDP_THREADS); i++)
            spawn(serve_datagrams, &listener);
    else
        spawn(loop ? serve_epoll : accept_blocking, &listener);
    return ntohs(at.sin_port);
}

static struct connection *connect_to_server(uint64_t number)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, protocol == UDP ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connecting");
    struct connection *c = new_connection(fd);
    c->request = malloc(room);
    memset(c->request, 'x', room);
    c->number = number;
    return c;
}

/* Sends the next request, if there is one. No other is under way, so a socket takes it whole. */
static int send_request(struct connection *c)
{
    size_t length = bytes;
    if (requests && c->sent == requests)
        return 0;
    c->filled = 0;
    c->sent++;
    if (protocol == HTTP)
        length = (size_t)snprintf(c->request, room, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    else {
        uint64_t stamp = c->number << 40 | c->sent;
        memcpy(c->request, &stamp, sizeof stamp);
    }
    if (write_all(c->fd, c->request, length) != 0)
        die("sending a request");
    return 1;
}

/* One read. 1: the reply is whole, and counted. */
static int receive(struct connection *c)
{
    ssize_t got = read(c->fd, c->buffer + c->filled, room - c->filled);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0)
        die("receiving a reply");
    c->filled += (size_t)got;
    if (!whole(c->buffer, c->filled, 1))
        return 0;
    if (protocol != HTTP && memcmp(c->buffer, c->request, bytes) != 0)
        fail("a reply that differs from its request");
    perform(c->job, c->buffer);
    return 1;
}

static void *ask_blocking(void *with)
{
    while (send_request(with))
        while (!receive(with))
            ;
    return 0;
}

static void *ask_epoll(void *with)
{
    struct connection **all = with;
    struct epoll_event ready[EVENTS];
    int epoll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        struct epoll_event in = {.events = EPOLLIN, .data.ptr = all[i]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[i]->fd, &in);
        send_request(all[i]);
    }
    for (;;) {
        int count = epoll_wait(epoll, ready, EVENTS, -1);
        for (int i = 0; i < count; i++)
            if (receive(ready[i].data.ptr))
                send_request(ready[i].data.ptr);
    }
}

static void ask(void)
{
    struct connection **all = calloc((size_t)connections, sizeof *all);
    for (int i = 0; i < connections; i++)
        all[i] = connect_to_server((uint64_t)i);
    if (strcmp(mode, "epoll") == 0)
        spawn(ask_epoll, all);
    else
        for (int i = 0; i < connections; i++)
            spawn(ask_blocking, all[i]);
}

static void spin_rate(void)
{
    uint64_t scratch[WORDS] = {0}, fastest = UINT64_MAX, times = 2000000, sink = 0;
    for (int i = 0; i < 20; i++) {
        uint64_t begun = now_ns();
        sink ^= work(scratch, (uint64_t)i, times);
        uint64_t took = now_ns() - begun;
        fastest = took < fastest ? took : fastest;
    }
    printf("{\"iterations_per_us\":%f,\"sink\":%d}\n", (double)times * 1e3 / (double)fastest, (int)(sink & 1));
}

static void sums(uint64_t *operations, uint64_t *digest)
{
    *operations = *digest = 0;
    for (struct job *job = jobs; job; job = job->next) {
        *operations += __atomic_load_n(&job->operations, __ATOMIC_RELAXED);
        *digest += __atomic_load_n(&job->digest, __ATOMIC_RELAXED);
    }
}

int main(int count, char **words)
{
    const char *what = count > 1 ? words[1] : "";
    for (int i = 2; i + 1 < count; i += 2) {
        const char *value = words[i + 1];
        if (!strcmp(words[i], "--mode")) mode = value;
        else if (!strcmp(words[i], "--protocol")) protocol = *value == 'u' ? UDP : *value == 'h' ? HTTP : TCP;
        else if (!strcmp(words[i], "--bytes")) bytes = strtoul(value, 0, 10);
        else if (!strcmp(words[i], "--work")) iterations = strtoul(value, 0, 10);
        else if (!strcmp(words[i], "--port")) port = atoi(value);
        else if (!strcmp(words[i], "--requests")) requests = strtoul(value, 0, 10);
        else if (!strcmp(words[i], "--connections")) connections = atoi(value);
        else return 2;
    }
    room = (bytes > 8 ? bytes : 8) + HEAD;
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    answer = malloc(room);
    answer_length = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", bytes);
    memset(answer + answer_length, 'x', bytes);
    answer_length += bytes;
    if (!strcmp(what, "spin-rate"))
        return spin_rate(), 0;
    if (!strcmp(what, "serve"))
        printf("{\"pid\":%d,\"port\":%d}\n", getpid(), serve());
    else if (!strcmp(what, "ask")) {
        ask();
        printf("{\"pid\":%d,\"warm\":true}\n", getpid());
    } else
        return 2;
    fflush(stdout);
    char line[64];
    uint64_t operations, digest;
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "count\n") != 0)
            continue;
        sums(&operations, &digest);
        printf("{\"operations\":%lu,\"now_ns\":%lu}\n", operations, now_ns());
        fflush(stdout);
    }
    sums(&operations, &digest);
    printf("{\"operations\":%lu,\"errors\":%lu,\"digest\":\"%016lx\"}\n", operations, errors, digest);
    fflush(stdout);
    _exit(0);
}
