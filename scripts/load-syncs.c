/* Preloaded by scripts/load and by tests into a coordinator or a Postgres server: it counts the syncs of files, and
 * delays them on purpose, so that a fast disk takes as long as a slow one.
 *
 *     cc -O2 -shared -fPIC -o load-syncs.so scripts/load-syncs.c -ldl
 *     BESOM_LOAD_SYNCS=FILE BESOM_LOAD_SYNC_MICROS=3000 LD_PRELOAD=./load-syncs.so besom coordinator ...
 *
 * FILE holds one number of eight bytes, shared by all processes that name it; it is made where it is missing.
 * sync_file_range is left alone: it is a hint of Postgres's checkpointer and promises nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static _Atomic unsigned long *syncs;
static struct timespec delay;

__attribute__((constructor)) static void begin(void)
{
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    const char *micros = getenv("BESOM_LOAD_SYNC_MICROS");
    if (micros) {
        delay.tv_sec = atol(micros) / 1000000;
        delay.tv_nsec = atol(micros) % 1000000 * 1000;
    }
    const char *name = getenv("BESOM_LOAD_SYNCS");
    int file = name ? open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (file >= 0 && ftruncate(file, sizeof *syncs) == 0) {
        void *map = mmap(NULL, sizeof *syncs, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (map != MAP_FAILED)
            syncs = map;
    }
    if (file >= 0)
        close(file);
}

static void synced(void)
{
    if (syncs)
        ++*syncs;
    if (delay.tv_sec || delay.tv_nsec)
        nanosleep(&delay, NULL);
}

int fsync(int file)
{
    synced();
    return real_fsync(file);
}

int fdatasync(int file)
{
    synced();
    return real_fdatasync(file);
}
