/* Threads that fight over one pthread mutex: the lock is all that they wait for.
 * cc -O2 -o mutex mutex.c -lpthread
 * mutex --threads N [--inside ROUNDS] [--outside ROUNDS]   ROUNDS of arithmetic, some ns each */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t shared = 88172645463325252u;
static unsigned inside = 200, outside = 200;

static uint64_t work(uint64_t x, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        x ^= x << 13; x ^= x >> 7; x ^= x << 17;
    }
    return x;
}

static void *fight(void *own)
{
    for (uint64_t x = (uintptr_t)own;;) {
        pthread_mutex_lock(&lock);
        shared = work(shared, inside);
        pthread_mutex_unlock(&lock);
        x = work(x | 1, outside);
    }
    return 0;
}

int main(int argc, char **argv)
{
    unsigned threads = 8;
    for (int i = 1; i + 1 < argc; i += 2) {
        unsigned value = strtoul(argv[i + 1], 0, 10);
        if (!strcmp(argv[i], "--threads")) threads = value;
        else if (!strcmp(argv[i], "--inside")) inside = value;
        else if (!strcmp(argv[i], "--outside")) outside = value;
        else return 2;
    }
    pthread_t id;
    for (uintptr_t i = 0; i < threads; i++)
        if (pthread_create(&id, 0, fight, (void *)i))
            return 1;
    pthread_join(id, 0);
}
