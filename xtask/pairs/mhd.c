/* libmicrohttpd: the same handler, thread per connection or epoll.
 * cc -O2 -o mhd mhd.c -lmicrohttpd
 * mhd --port N --form threads|epoll|poll|select|pool [--timeout S] [--work N] [--pool N] */
#include <arpa/inet.h>
#include <getopt.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned work;
static struct MHD_Response *answer;
static volatile uint64_t sink;

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c,
    const char *url, const char *method, const char *version,
    const char *data, size_t *size, void **state)
{
    (void)cls; (void)url; (void)version; (void)data; (void)size;
    /* The first call sees the head only: an answer there closes the connection. */
    if (!*state) {
        *state = &work;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0)
        return MHD_NO;
    uint64_t x = 88172645463325252u;
    for (unsigned i = 0; i < work; i++) {
        x ^= x << 13; x ^= x >> 7; x ^= x << 17;
    }
    sink = x;
    return MHD_queue_response(c, MHD_HTTP_OK, answer);
}

int main(int argc, char **argv)
{
    static const struct option opts[] = {
        {"port", 1, 0, 'p'}, {"form", 1, 0, 'f'}, {"timeout", 1, 0, 't'},
        {"work", 1, 0, 'w'}, {"pool", 1, 0, 'n'}, {0, 0, 0, 0}};
    unsigned port = 8080, timeout = 0, pool = 4;
    const char *form = "threads";
    for (int o; (o = getopt_long(argc, argv, "", opts, 0)) != -1;)
        switch (o) {
        case 'p': port = atoi(optarg); break;
        case 'f': form = optarg; break;
        case 't': timeout = atoi(optarg); break;
        case 'w': work = atoi(optarg); break;
        case 'n': pool = atoi(optarg); break;
        default: return 2;
        }
    unsigned flags = MHD_USE_ERROR_LOG, threads = 0;
    if (!strcmp(form, "threads"))
        flags |= MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    else if (!strcmp(form, "threads-select"))
        flags |= MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD;
    else if (!strcmp(form, "epoll"))
        flags |= MHD_USE_EPOLL_INTERNAL_THREAD;
    else if (!strcmp(form, "poll"))
        flags |= MHD_USE_POLL_INTERNAL_THREAD;
    else if (!strcmp(form, "pool")) {
        flags |= MHD_USE_EPOLL_INTERNAL_THREAD;
        threads = pool;
    } else {
        fprintf(stderr, "unknown form %s\n", form);
        return 2;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, 0);
    signal(SIGPIPE, SIG_IGN);

    char body[101];
    memset(body, 'x', 99);
    body[99] = '\n';
    answer = MHD_create_response_from_buffer(100, body, MHD_RESPMEM_MUST_COPY);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_OptionItem extra[] = {
        {threads ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, 0},
        {MHD_OPTION_END, 0, 0}};
    struct MHD_Daemon *d = MHD_start_daemon(flags, port, 0, 0, on_request, 0,
        MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_CONNECTION_LIMIT, 4096u,
        MHD_OPTION_CONNECTION_TIMEOUT, timeout, MHD_OPTION_ARRAY, extra, MHD_OPTION_END);
    if (!d)
        return 1;
    puts("ready");
    fflush(stdout);
    int sig;
    sigwait(&set, &sig);
    MHD_stop_daemon(d);
    MHD_destroy_response(answer);
    return 0;
}
