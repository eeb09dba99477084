#include "smeta/core/threads.hpp"

#include <array>
#include <fstream>
#include <numeric>

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include "smeta/core/error.hpp"

namespace smeta::core {

void set_threads(int threads) {
    check(threads >= 1, "at least one thread");
    omp_set_num_threads(threads);
}

int threads() {
    return omp_get_max_threads();
}

std::vector<std::int32_t> allowed_processors() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    std::vector<std::int32_t> numbers;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
        for (std::int32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &allowed)) numbers.push_back(cpu);
    } else {  // more processors than the mask can hold
        numbers.resize(omp_get_num_procs());
        std::iota(numbers.begin(), numbers.end(), 0);
    }
    return numbers;
}

std::string machine_id() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    if (std::getline(file, id)) return id;
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    return host.data();
}

}  // namespace smeta::core
