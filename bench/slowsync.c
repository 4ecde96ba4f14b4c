/* Makes every sync slower by BENCH_SYNC_MS milliseconds, as on a tired disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void tire(void)
{
    const char *text = getenv("BENCH_SYNC_MS");
    usleep((useconds_t)(text ? atoi(text) : 5) * 1000);
}

int fsync(int file)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    tire();
    return real(file);
}

int fdatasync(int file)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    tire();
    return real(file);
}
