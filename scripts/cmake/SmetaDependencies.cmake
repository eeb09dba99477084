# Every library comes from the system (find_package only). Wrapped as interface targets where CMake knows none.
set(HDF5_PREFER_PARALLEL ON)
find_package(MPI REQUIRED COMPONENTS C)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
    message(FATAL_ERROR "HDF5 without MPI found; smeta needs parallel HDF5 (Debian: libhdf5-openmpi-dev)")
endif()
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(fmt REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS serialization)
find_package(nlohmann_json REQUIRED)
find_package(toml11 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(EXPAT REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nanoflann REQUIRED)
find_package(PNG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(libdeflate REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(sleef REQUIRED IMPORTED_TARGET sleef)

# OpenBLAS, the serial variant (threads are ours); without it Eigen's own products are used.
find_library(SMETA_OPENBLAS NAMES libopenblas.so.0 openblas
             PATH_SUFFIXES openblas-serial x86_64-linux-gnu/openblas-serial aarch64-linux-gnu/openblas-serial NO_CACHE)
find_path(SMETA_CBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas-serial x86_64-linux-gnu/openblas-serial
                                                    x86_64-linux-gnu aarch64-linux-gnu/openblas-serial NO_CACHE)
if(SMETA_LEIDEN)
    # Not find_package: the package's CMake files want the development files of all that igraph uses itself.
    pkg_check_modules(igraph REQUIRED IMPORTED_TARGET igraph)
endif()
