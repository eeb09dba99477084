#include "support/support.hpp"

#include <cstdlib>

#include "smeta/core/error.hpp"

namespace smeta::test {

std::filesystem::path shared_dir() {
    return SMETA_SHARED_DIR;
}

bool have_shared() {
    return std::filesystem::is_directory(shared_dir() / "golden");
}

namespace {

std::string make_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "smeta_test_XXXXXX").string();
    core::check(mkdtemp(name.data()) != nullptr, "a temporary folder can be made");
    return name;
}

}  // namespace

TemporaryFolder::TemporaryFolder() : path_(make_folder()) {}

TemporaryFolder::TemporaryFolder(const comm::Comm& comm) : comm_(comm.duplicate()) {
    std::string name = comm.is_root() ? make_folder() : std::string();
    comm.broadcast(name);
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    if (comm_) comm_->barrier();
    std::error_code ignored;
    if (!comm_ || comm_->is_root()) std::filesystem::remove_all(path_, ignored);
}

void on_each_communicator(const std::function<void(const comm::Comm&)>& body) {
    const comm::Comm world = comm::Comm::world();
    body(world);
    body(world.split(0, -world.rank()));
    body(world.split(world.rank() % 2));
}

}  // namespace smeta::test
