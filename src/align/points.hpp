#pragma once

#include <Eigen/Core>

namespace smeta::align::detail {

/// Points, n by 2.
using Points = Eigen::Matrix<double, Eigen::Dynamic, 2, Eigen::RowMajor>;

}  // namespace smeta::align::detail
