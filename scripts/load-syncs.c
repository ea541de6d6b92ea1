/* Preloaded by scripts/load and by tests into a coordinator or a Postgres server: it counts the syncs of files, and
 * delays them on purpose, so that a fast disk takes as long as a slow one.
 *
 *     cc -O2 -shared -fPIC -o load-syncs.so scripts/load-syncs.c -ldl
 *     BESOM_LOAD_COUNTERS=FILE BESOM_LOAD_SYNC_MICROS=3000 LD_PRELOAD=./load-syncs.so besom coordinator ...
 *
 * FILE holds counters of eight bytes each, shared by all processes that name it: syncs, and read locks of files, which
 * are how SQLite begins to read. The file is made, of 4096 bytes, where it is missing. sync_file_range is left alone: it
 * is a hint of Postgres's checkpointer and promises nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SYNCS, READ_LOCKS, SIZE = 4096 };

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_fcntl)(int, int, ...);
static _Atomic unsigned long *counters;
static struct timespec delay;

__attribute__((constructor)) static void begin(void)
{
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    real_fcntl = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl64");
    if (!real_fcntl)
        real_fcntl = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl");
    const char *micros = getenv("BESOM_LOAD_SYNC_MICROS");
    if (micros) {
        delay.tv_sec = atol(micros) / 1000000;
        delay.tv_nsec = atol(micros) % 1000000 * 1000;
    }
    const char *name = getenv("BESOM_LOAD_COUNTERS");
    int file = name ? open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (file >= 0 && ftruncate(file, SIZE) == 0) {
        void *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (map != MAP_FAILED)
            counters = map;
    }
    if (file >= 0)
        close(file);
}

static void count(int which)
{
    if (counters)
        counters[which]++;
}

static void synced(void)
{
    count(SYNCS);
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

static int locked(int file, int command, void *argument)
{
    if (command == F_SETLK && ((struct flock *)argument)->l_type == F_RDLCK)
        count(READ_LOCKS);
    return real_fcntl(file, command, argument);
}

int fcntl64(int file, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return locked(file, command, argument);
}

int fcntl(int file, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return locked(file, command, argument);
}
