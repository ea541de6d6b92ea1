/* Lets syncs fail: those of files and folders whose path fits the pattern (as of a shell) in the file that
   BESOM_TEST_FAIL_SYNC names. Without that file all succeed. Loaded before the C library's own functions (LD_PRELOAD). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int fails(int fd)
{
    const char *name = getenv("BESOM_TEST_FAIL_SYNC");
    FILE *file = name ? fopen(name, "r") : NULL;
    if (!file)
        return 0;
    char pattern[256] = "", link[64], path[4096];
    char *line = fgets(pattern, sizeof pattern, file);
    fclose(file);
    if (!line)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return fnmatch(pattern, path, 0) == 0;
}

#define SYNC(name)                                                                 \
    int name(int fd)                                                               \
    {                                                                              \
        if (fails(fd)) {                                                           \
            errno = EIO;                                                           \
            return -1;                                                             \
        }                                                                          \
        int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name);                  \
        return next(fd);                                                           \
    }

SYNC(fsync)
SYNC(fdatasync)
