// The CUDA driver and NVML of a machine that environment variables describe, for what asks them through ctypes.
// FAKE_CARDS: number of cards; FAKE_CUDA: version that the driver supports (12040); FAKE_INIT: code of cuInit;
// FAKE_EXCLUSIVE: cards take one process; FAKE_PID: process that computes on each; FAKE_FREE: free bytes.
// Compiled with OLD, it is a driver that lacks what came with 510.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long setting(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value && *value ? atol(value) : otherwise;
}

int cuInit(unsigned flags) { return setting("FAKE_INIT", 0); }

// the texts of the vendor's driver
int cuGetErrorString(int code, const char **text) {
    switch (code) {
    case 2: *text = "out of memory"; return 0;
    case 34: *text = "CUDA driver is a stub library"; return 0;
    case 35: *text = "CUDA driver version is insufficient for CUDA runtime version"; return 0;
    case 46: *text = "CUDA-capable device(s) is/are busy or unavailable"; return 0;
    case 100: *text = "no CUDA-capable device is detected"; return 0;
    case 222: *text = "the provided PTX was compiled with an unsupported toolchain."; return 0;
    case 803: *text = "system has unsupported display driver / cuda driver combination"; return 0;
    case 804: *text = "forward compatibility was attempted on non supported HW"; return 0;
    }
    *text = 0;
    return 1;
}

int cuDriverGetVersion(int *version) { return *version = setting("FAKE_CUDA", 12040), 0; }
int cuDeviceGetCount(int *count) { return *count = setting("FAKE_CARDS", 1), 0; }
int cuDeviceGet(int *device, int number) { return *device = number, 0; }
int cuDeviceGetName(char *name, int size, int device) { return snprintf(name, size, "Fake 40%d0", 6 + device), 0; }
int cuDeviceTotalMem_v2(size_t *memory, int device) { return *memory = 8ul << 30, 0; }
int cuDeviceGetPCIBusId(char *bus, int size, int device) { return snprintf(bus, size, "0000:0%d:00.0", device), 0; }

int cuDeviceGetAttribute(int *value, int which, int device) {
    *value = which == 75 ? setting("FAKE_MAJOR", 8) : which == 76 ? 9 : which == 20 ? 3 * setting("FAKE_EXCLUSIVE", 0) : -1;
    return *value < 0;
}

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; } Process;

int nvmlInit_v2(void) { return setting("FAKE_NVML", 0); }
#ifdef OLD
#define VERSION "470.57.02"
#else
#define VERSION "550.54.14"
#endif

int nvmlSystemGetDriverVersion(char *text, unsigned size) { return snprintf(text, size, VERSION), 0; }

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device) {
    *device = (void *)(size_t)(bus[6] - '0' + 1);
    return strncmp(bus, "0000:0", 6) != 0;
}

int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
    memory->total = 8ull << 30;
    memory->free = setting("FAKE_FREE", 6ll << 30);
    memory->used = memory->total - memory->free;
    return 0;
}

#ifndef OLD
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, Process *found) {
    long pid = setting("FAKE_PID", 0);
    *count = pid ? 1 : 0;
    if (pid) found[0] = (Process){(unsigned)pid, 1 << 30, 0xFFFFFFFF, 0xFFFFFFFF};
    return 0;
}
#endif
