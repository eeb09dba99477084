#include "page.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace smeta::report {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--paper:#fff;--raised:#f6f7f8;--ink:#1a1a1a;--muted:#5f6368;--line:#d8dbdf;--accent:#0063a0}
@media (prefers-color-scheme:dark){:root{--paper:#16181b;--raised:#202327;--ink:#e8eaed;--muted:#a6abb2;--line:#3a3f45;--accent:#6db7f2}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 "Helvetica Neue",Helvetica,Arial,sans-serif}
main,header,footer{max-width:1064px;margin:0 auto;padding:0 32px}
header{padding-top:40px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;font-weight:650;letter-spacing:-.01em}
h2{font-size:19px;margin:52px 0 14px;padding-top:14px;border-top:1px solid var(--line);font-weight:650}
h3{font-size:15px;margin:28px 0 8px}
p{margin:0 0 12px;max-width:74ch}
a{color:var(--accent)}
.sub{color:var(--muted);margin:0}
nav{margin:18px 0 0}
nav a{display:inline-block;margin:0 16px 6px 0;text-decoration:none}
nav a:hover,nav a:focus{text-decoration:underline}
dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:1px;background:var(--line);border:1px solid var(--line);margin:26px 0 0}
dl.facts div{background:var(--paper);padding:12px 14px}
dl.facts dt{color:var(--muted);font-size:12.5px}
dl.facts dd{margin:0;font-size:22px;font-variant-numeric:tabular-nums}
figure{margin:0 0 26px}
figure svg{width:100%;height:auto;display:block;overflow:visible}
figcaption{color:var(--muted);font-size:13px;line-height:1.5;margin-top:12px;max-width:86ch}
.fill-ink{fill:var(--ink)}.fill-muted{fill:var(--muted)}.fill-line{fill:var(--line)}
.stroke-ink{stroke:var(--ink)}.stroke-muted{stroke:var(--muted)}.stroke-line{stroke:var(--line)}
.scroll{overflow-x:auto;margin:0 0 20px}
table{border-collapse:collapse;width:100%;font-size:13px}
caption{text-align:left;color:var(--muted);padding:0 0 8px}
th,td{text-align:left;padding:5px 14px 5px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums}
details{margin:0 0 16px}
summary{cursor:pointer;font-weight:600}
pre{background:var(--raised);padding:14px 16px;overflow-x:auto;font:12px/1.5 ui-monospace,Menlo,Consolas,monospace}
ul.notes{margin:0 0 12px;padding-left:20px;color:var(--muted)}
footer{color:var(--muted);font-size:12.5px;padding-top:36px;padding-bottom:48px}
@media (max-width:640px){main,header,footer{padding-left:16px;padding-right:16px}}
@media print{nav{display:none}h2{break-after:avoid}figure{break-inside:avoid}}
)css";

std::string grouped(std::int64_t value) {
    std::string text = std::to_string(value);
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), "\u2009");
    return text;
}

std::string duration(double seconds) {
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    if (seconds < 3600) return fmt::format("{:.1f} min", seconds / 60);
    return fmt::format("{:.1f} h", seconds / 3600);
}

std::string facts(const ReportData& data) {
    std::string result = "<dl class=\"facts\">\n";
    const auto fact = [&](const std::string& name, const std::string& value) {
        result += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value));
    };
    fact("Samples", grouped(static_cast<std::int64_t>(data.samples.size())));
    fact("Spots", grouped(data.spots()));
    for (const auto& modality : data.features)
        fact("Selected " + modality_label(modality.name), grouped(modality.features));
    if (data.clusters() > 0) fact("Clusters", grouped(data.clusters()));
    if (!data.metrics.empty()) {
        double seconds = 0;
        for (const auto& row : data.metrics) seconds += row.seconds;
        fact("Epochs", grouped(data.metrics.back().epoch));
        fact("Training", duration(seconds));
    }
    return result + "</dl>\n";
}

class Page {
  public:
    Page(const ReportData& data, const std::vector<PlacedFigure>& figures)
        : data_(data), figures_(figures) {}

    std::string build() {
        training();
        maps("clusters", "Clusters in space",
             "The samples are not clustered: run <code>smeta cluster</code>.");
        if (has("alignment")) maps("alignment", "How the imaging sections lie on the spots", "");
        maps("contribution", "Modality contribution",
             "There is one modality, or no contribution in the results.");
        maps("mixing", "Batch mixing", "There is one sample, or the run is not clustered yet.");
        maps("features", "Measured and reconstructed features",
             "The run has no stored reconstruction: <code>smeta embed --reconstruction</code> "
             "writes it, and the next report shows the features that vary most in space.");
        provenance();
        return head() + body_ + foot();
    }

  private:
    void section(const std::string& id, const std::string& title) {
        links_ += fmt::format("<a href=\"#{}\">{}</a>\n", id, escape(title));
        body_ += fmt::format("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n", id,
                             escape(title));
    }

    /// The figures of a section; false when there is none.
    bool place(const std::string& name) {
        bool found = false;
        std::string files;
        for (const auto& placed : figures_) {
            if (placed.section != name) continue;
            found = true;
            if (placed.in_page)
                body_ += fmt::format("<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n",
                                     placed.figure.svg.element(), escape(placed.figure.caption));
            else
                files += fmt::format(" <a href=\"figures/{0}.svg\">{0}.svg</a>",
                                     escape(placed.figure.svg.id()));
        }
        if (!files.empty()) body_ += "<p>More samples, as files:" + files + "</p>\n";
        return found;
    }

    bool has(const std::string& name) const {
        return std::any_of(figures_.begin(), figures_.end(),
                           [&](const auto& placed) { return placed.section == name; });
    }

    void maps(const std::string& name, const std::string& title, const std::string& absent) {
        section(name, title);
        if (!place(name)) body_ += "<p>" + absent + "</p>\n";
        if (name == "mixing" && data_.mixing)
            body_ += to_html(mixing_table(data_), "Scores, 0 (apart) to 1 (mixed)");
        body_ += "</section>\n";
    }

    void training() {
        section("training", "Training");
        if (!place("training")) body_ += "<p>The run has no metrics yet.</p>\n";
        body_ += "</section>\n";
    }

    void provenance() {
        section("samples", "Samples");
        body_ += to_html(samples_table(data_),
                         "Rows read from the raw files, kept by quality control, and features");
        body_ += "</section>\n";
        section("provenance", "Provenance");
        if (!data_.notes.empty()) {
            body_ += "<ul class=\"notes\">\n";
            for (const auto& note : data_.notes) body_ += "<li>" + escape(note) + "</li>\n";
            body_ += "</ul>\n";
        }
        body_ += fmt::format(
            "<p>smeta {} ({}), run <b>{}</b> of {}. Frozen inputs: <code>{}</code>.</p>\n",
            escape(data_.version), escape(data_.revision), escape(data_.run), escape(data_.atlas),
            escape(data_.inputs_checksum));
        if (!data_.commands.empty())
            body_ += to_html(commands_table(data_), "Commands that made this run");
        if (!data_.timings.empty())
            body_ += "<details><summary>Timings over ranks</summary>\n" +
                     to_html(timings_table(data_),
                             "Wall-clock seconds: least, mean and most over the ranks") +
                     "</details>\n";
        body_ += "<details><summary>Input files</summary>\n" +
                 to_html(inputs_table(data_), "Joint files of the run and their checksums") +
                 "</details>\n<details><summary>Effective configuration</summary>\n<pre>" +
                 escape(data_.config) + "</pre></details>\n</section>\n";
    }

    std::string head() const {
        return fmt::format(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<title>{0} \u2013 smeta report</title>\n<style>{1}</style>\n</head>\n<body>\n"
            "<header>\n<h1>Integrated atlas: {0}</h1>\n<p class=\"sub\">{2}</p>\n{3}"
            "<nav aria-label=\"Sections\">\n{4}</nav>\n</header>\n<main>\n",
            escape(data_.run), kStyle, escape(data_.created), facts(data_), links_);
    }

    static std::string foot() {
        return "</main>\n<footer>Every figure is also an SVG file in figures/, every table a TSV "
               "file in tables/, and all numbers are in report.json.</footer>\n</body>\n</html>\n";
    }

    const ReportData& data_;
    const std::vector<PlacedFigure>& figures_;
    std::string links_;
    std::string body_;
};

}  // namespace

namespace {

std::vector<Figure> alignment_figures(const ReportData& data) {
    std::vector<Figure> figures;
    for (const auto& sample : data.samples) {
        if (sample.alignment_file.empty() || figures.size() == kMapsPerFigure) continue;
        if (auto figure = alignment_figure(sample.alignment_file, sample.name))
            figures.push_back(std::move(*figure));
    }
    return figures;
}

}  // namespace

std::vector<PlacedFigure> all_figures(const ReportData& data) {
    std::vector<PlacedFigure> result;
    const auto add_one = [&](std::optional<Figure> figure, const char* section) {
        if (figure) result.push_back({std::move(*figure), section, true});
    };
    const auto add_all = [&](std::vector<Figure> figures, const char* section, std::size_t shown) {
        for (std::size_t i = 0; i < figures.size(); ++i)
            result.push_back({std::move(figures[i]), section, i < shown});
    };
    constexpr std::size_t kFeatureFigures = 3;
    add_one(loss_figure(data), "training");
    add_all(alignment_figures(data), "alignment", 1);
    add_all(cluster_figures(data), "clusters", 1);
    add_all(stack_figures(data), "clusters", kMapsPerFigure);
    add_one(composition_figure(data), "clusters");
    add_all(contribution_figures(data), "contribution", 1);
    add_one(mixing_figure(data), "mixing");
    add_all(feature_figures(data), "features", kFeatureFigures);
    return result;
}

std::string report_html(const ReportData& data, const std::vector<PlacedFigure>& figures) {
    return Page(data, figures).build();
}

}  // namespace smeta::report
