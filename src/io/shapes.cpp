#include "smeta/io/shapes.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::io {
namespace {

using Json = nlohmann::json;

/// A file's wanted kind, and how errors name what is wrong in it.
struct Source {
    std::string path;
    ShapeKind kind;

    std::string word() const { return kind == ShapeKind::Regions ? "region" : "path"; }
    std::string types() const {
        return kind == ShapeKind::Regions ? "Polygon or MultiPolygon"
                                          : "LineString or MultiLineString";
    }
    std::int64_t vertices() const { return kind == ShapeKind::Regions ? 3 : 2; }
    [[noreturn]] void refuse(const std::string& object, const std::string& expected,
                             const std::string& found) const {
        throw core::FormatError({path, object, expected, found,
                                 fmt::format("draw {}s in QuPath, Fiji or GIS software and export "
                                             "them as GeoJSON, or give a table with columns x, y "
                                             "and name",
                                             word())});
    }
    /// Vertices without the closing one of a ring; enough of them.
    core::MatrixD checked(core::MatrixD vertices, const std::string& object) const {
        auto count = vertices.rows();
        if (kind == ShapeKind::Regions && count > 1 && vertices.row(0) == vertices.row(count - 1))
            --count;
        if (count < this->vertices())
            refuse(object, fmt::format("at least {} vertices", this->vertices()),
                   fmt::format("{}", count));
        return vertices.topRows(count);
    }
};

Shape& shape_of(std::vector<Shape>& shapes, const std::string& name, const std::string& sample) {
    for (auto& shape : shapes)
        if (shape.name == name && shape.sample == sample) return shape;
    shapes.push_back({name, sample, {}, {}});
    return shapes.back();
}

std::string brief(const Json& json) {
    const auto text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

class GeoJson {
  public:
    explicit GeoJson(Source source) : source_(std::move(source)) {}

    std::vector<Shape> read(const std::string& text) {
        Json json;
        try {
            json = Json::parse(text);
        } catch (const Json::exception& error) {
            source_.refuse("", "GeoJSON", error.what());
        }
        if (json.is_array()) {
            read_features(json);
        } else if (json.is_object() && json.value("type", Json()) == "FeatureCollection") {
            if (!json.contains("features") || !json["features"].is_array())
                source_.refuse("features", "an array of features", "none");
            read_features(json["features"]);
        } else {
            read_feature(json);
        }
        return std::move(shapes_);
    }

  private:
    void read_features(const Json& features) {
        for (const auto& feature : features) read_feature(feature);
    }

    void read_feature(const Json& feature) {
        ++count_;
        object_ = fmt::format("feature {}", count_);
        if (!feature.is_object() || !feature.contains("type"))
            source_.refuse(object_, "a GeoJSON feature with a type", brief(feature));
        const bool is_bare = feature["type"] != "Feature";
        const Json geometry = is_bare ? feature : feature.value("geometry", Json());
        const Json properties = is_bare ? Json() : feature.value("properties", Json());
        auto& shape = shape_of(shapes_, name_of(properties), text_of(properties, "sample"));
        object_ += fmt::format(" ('{}')", shape.name);
        add_geometry(shape, geometry);
    }

    static std::string text_of(const Json& object, const std::string& key) {
        if (!object.is_object() || !object.contains(key)) return {};
        const auto& value = object[key];
        return value.is_string()   ? value.get<std::string>()
               : value.is_number() ? value.dump()
                                   : std::string();
    }
    std::string name_of(const Json& properties) const {
        auto name = text_of(properties, "name");
        if (name.empty() && properties.is_object() && properties.contains("classification"))
            name = text_of(properties["classification"], "name");
        return name.empty() ? fmt::format("{}_{}", source_.word(), count_) : name;
    }

    void add_geometry(Shape& shape, const Json& geometry) {
        const Json type = geometry.is_object() ? geometry.value("type", Json()) : Json();
        const bool is_regions = source_.kind == ShapeKind::Regions;
        const bool is_single = type == (is_regions ? "Polygon" : "LineString");
        if (!is_single && type != (is_regions ? "MultiPolygon" : "MultiLineString"))
            source_.refuse(object_, "geometry of type " + source_.types(), brief(type));
        const Json coordinates = geometry.value("coordinates", Json());
        if (!is_regions) {
            if (is_single)
                shape.lines.push_back(vertices_of(coordinates));
            else
                for (const auto& line : array(coordinates))
                    shape.lines.push_back(vertices_of(line));
            return;
        }
        if (is_single)
            shape.polygons.push_back(rings_of(coordinates));
        else
            for (const auto& polygon : array(coordinates))
                shape.polygons.push_back(rings_of(polygon));
    }
    const Json& array(const Json& json) const {
        if (!json.is_array() || json.empty())
            source_.refuse(object_ + ", coordinates", "an array", brief(json));
        return json;
    }
    Rings rings_of(const Json& json) const {
        Rings rings;
        for (const auto& ring : array(json)) rings.push_back(vertices_of(ring));
        return rings;
    }
    core::MatrixD vertices_of(const Json& json) const {
        core::MatrixD vertices(static_cast<Eigen::Index>(array(json).size()), 2);
        Eigen::Index row = 0;
        for (const auto& position : json) {
            if (!position.is_array() || position.size() < 2 || !position[0].is_number() ||
                !position[1].is_number() || !std::isfinite(position[0].get<double>()) ||
                !std::isfinite(position[1].get<double>()))
                source_.refuse(fmt::format("{}, vertex {}", object_, row + 1), "[x, y]",
                               brief(position));
            vertices.row(row++) << position[0].get<double>(), position[1].get<double>();
        }
        return source_.checked(std::move(vertices), object_);
    }

    Source source_;
    std::vector<Shape> shapes_;
    std::int64_t count_ = 0;
    std::string object_;
};

/// Consecutive or not, the vertices of one name, sample and ring.
struct TableRing {
    std::string name;
    std::string sample;
    std::string ring;
    std::vector<double> vertices;  ///< x, y, x, y, ...
    std::string object;            ///< the first one's line
};

std::vector<TableRing> table_rings(const std::string& path, const std::string& unnamed) {
    const auto table = read_text_columns(path);
    const auto x = table.column("x");
    const auto y = table.column("y");
    const auto text = [&](const std::vector<std::string>& row, std::string_view name) {
        const auto at = table.find(name);
        return at ? row[*at] : std::string();
    };
    std::vector<TableRing> rings;
    std::int64_t line = 1;
    for (const auto& row : table.rows) {
        ++line;
        const double coordinates[] = {require_number(row[x], path, line, "x"),
                                      require_number(row[y], path, line, "y")};
        for (const double value : coordinates)
            if (!std::isfinite(value))
                throw core::FormatError({path, fmt::format("line {}", line), "finite x and y",
                                         fmt::format("{} and {}", row[x], row[y]),
                                         "remove the line, or write the vertex"});
        auto name = text(row, "name");
        if (name.empty()) name = unnamed;
        const auto sample = text(row, "sample");
        const auto ring = text(row, "ring");
        auto found = std::find_if(rings.begin(), rings.end(), [&](const TableRing& r) {
            return r.name == name && r.sample == sample && r.ring == ring;
        });
        if (found == rings.end())
            found = rings.insert(
                rings.end(), {name, sample, ring, {}, fmt::format("line {} ('{}')", line, name)});
        found->vertices.insert(found->vertices.end(), std::begin(coordinates),
                               std::end(coordinates));
    }
    return rings;
}

std::vector<Shape> read_table(const Source& source) {
    std::vector<Shape> shapes;
    for (const auto& ring : table_rings(source.path, source.word() + "_1")) {
        auto& shape = shape_of(shapes, ring.name, ring.sample);
        auto vertices = source.checked(
            Eigen::Map<const core::MatrixD>(ring.vertices.data(),
                                            static_cast<Eigen::Index>(ring.vertices.size() / 2), 2),
            ring.object);
        if (source.kind == ShapeKind::Paths) {
            shape.lines.push_back(std::move(vertices));
        } else {
            if (shape.polygons.empty()) shape.polygons.emplace_back();
            shape.polygons.front().push_back(std::move(vertices));
        }
    }
    return shapes;
}

}  // namespace

std::vector<Shape> read_shapes(const std::string& path, ShapeKind kind) {
    const Source source{path, kind};
    const auto text = read_text_file(path);
    const auto first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
    const bool is_json = first != std::string::npos && (text[first] == '{' || text[first] == '[');
    auto shapes = is_json ? GeoJson(source).read(text) : read_table(source);
    if (shapes.empty()) source.refuse("", fmt::format("at least one {}", source.word()), "none");
    return shapes;
}

}  // namespace smeta::io
