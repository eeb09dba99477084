#include "settings.hpp"

namespace smeta::drivers {

Settings::Settings() {
    table.add("seed", seed, "seed of every random draw");
}

}  // namespace smeta::drivers
