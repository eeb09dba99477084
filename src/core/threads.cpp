#include "smeta/core/threads.hpp"

#include <omp.h>
#include <sched.h>

#include "smeta/core/error.hpp"

namespace smeta::core {

void set_threads(int threads) {
    check(threads >= 1, "at least one thread");
    omp_set_num_threads(threads);
}

int threads() {
    return omp_get_max_threads();
}

int allowed_processors() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return omp_get_num_procs();
    return CPU_COUNT(&allowed);
}

}  // namespace smeta::core
