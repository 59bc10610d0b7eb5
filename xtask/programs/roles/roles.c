/* Threads whose part is known, by the C library's means.
 * cc -O2 -o roles roles.c -lpthread
 * roles mutex      8 threads that fight over one mutex
 * roles condvar    a thread that submits and 4 that work, by a condition variable
 * roles semaphore  the same by a semaphore
 * roles join       a thread that waits for the ends of 4 that compute
 * roles rounds     a thread that starts 4 that compute a little, waits for their ends, and again
 * It says "ready" and goes on for 30 s. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { FIGHTERS = 8, POOL = 4, WORK_NS = 20000, ROUND_NS = 2000000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t submitted = PTHREAD_COND_INITIALIZER;
static sem_t jobs;
static unsigned queued;

static void spin(long ns)
{
    struct timespec from, now;
    clock_gettime(CLOCK_MONOTONIC, &from);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - from.tv_sec) * 1000000000L + now.tv_nsec - from.tv_nsec < ns);
}

/* A read that never blocks. */
static void job(int zero)
{
    char block[512];
    if (read(zero, block, sizeof block) == sizeof block)
        spin(WORK_NS);
}

static void *fights(void *none)
{
    prctl(PR_SET_NAME, "fights");
    for (;;) {
        pthread_mutex_lock(&lock);
        spin(WORK_NS);
        pthread_mutex_unlock(&lock);
    }
    return none;
}

static void *submits(void *by_semaphore)
{
    prctl(PR_SET_NAME, "submits");
    for (;;) {
        if (by_semaphore) {
            sem_post(&jobs);
        } else {
            pthread_mutex_lock(&lock);
            queued++;
            pthread_cond_signal(&submitted);
            pthread_mutex_unlock(&lock);
        }
        spin(3 * WORK_NS);
    }
    return 0;
}

static void *works(void *by_semaphore)
{
    int zero = open("/dev/zero", O_RDONLY);
    prctl(PR_SET_NAME, "works");
    for (;;) {
        if (by_semaphore) {
            while (sem_wait(&jobs)) {}
        } else {
            pthread_mutex_lock(&lock);
            while (!queued)
                pthread_cond_wait(&submitted, &lock);
            queued--;
            pthread_mutex_unlock(&lock);
        }
        job(zero);
    }
    return 0;
}

static void *computes(void *in_rounds)
{
    prctl(PR_SET_NAME, "computes");
    do
        spin(ROUND_NS);
    while (!in_rounds);
    return 0;
}

static void *joins(void *in_rounds)
{
    prctl(PR_SET_NAME, "joins");
    do {
        pthread_t ids[POOL];
        for (int i = 0; i < POOL; i++)
            if (pthread_create(&ids[i], 0, computes, in_rounds))
                return 0;
        for (int i = 0; i < POOL; i++)
            pthread_join(ids[i], 0);
    } while (in_rounds);
    return 0;
}

int main(int argc, char **argv)
{
    const char *kind = argc == 2 ? argv[1] : "";
    pthread_t id;
    void *with = 0;
    if (!strcmp(kind, "mutex")) {
        for (int i = 0; i < FIGHTERS; i++)
            pthread_create(&id, 0, fights, 0);
    } else if (!strcmp(kind, "condvar") || !strcmp(kind, "semaphore")) {
        with = strcmp(kind, "semaphore") ? 0 : &jobs;
        sem_init(&jobs, 0, 0);
        pthread_create(&id, 0, submits, with);
        for (int i = 0; i < POOL; i++)
            pthread_create(&id, 0, works, with);
    } else if (!strcmp(kind, "join") || !strcmp(kind, "rounds")) {
        with = strcmp(kind, "rounds") ? 0 : &jobs;
        pthread_create(&id, 0, joins, with);
    } else {
        return 2;
    }
    puts("ready");
    fflush(stdout);
    sleep(30);
    _exit(0);
}
