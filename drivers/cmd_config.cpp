#include <memory>

#include "smeta/core/error.hpp"

#include "command.hpp"

namespace smeta::drivers {

namespace {

struct ConfigOptions {
    bool dump = false;
    std::string format = "toml";
    std::string check_file;
};

int run_config(Context& context, const ConfigOptions& options) {
    if (!options.check_file.empty()) {
        Settings checked;
        checked.table.parse_toml(read_shared_text(context.comm, options.check_file),
                                 options.check_file, kStudyEntries);
        print(context, options.check_file + ": every key is known and every value valid\n");
        return 0;
    }
    if (!options.dump)
        throw core::ConfigError("smeta config: say what to do: --dump or --check FILE");
    if (options.format == "markdown")
        print(context, context.settings.table.dump_markdown());
    else
        print(context,
              "# Every configuration key with its value (smeta config --dump --format toml).\n" +
                  context.settings.table.dump_toml());
    return 0;
}

}  // namespace

void add_config(CommandLine& line) {
    auto options = std::make_shared<ConfigOptions>();
    CLI::App& app = line.add("config", "show every configuration key, or validate a file",
                             [options](Context& context) { return run_config(context, *options); });
    app.add_flag("--dump", options->dump, "print every key with its value and meaning");
    app.add_option("--format", options->format, "toml or markdown")
        ->check(CLI::IsMember({"toml", "markdown"}));
    app.add_option("--check", options->check_file, "validate a configuration or study file");
}

}  // namespace smeta::drivers
