//! A terminal as a picture: lines of text in, an SVG out, and back, so that a test can hold the picture against the program.

use std::fmt::Write as _;

/// As wide as a page shows it without shrinking the letters much.
const COLUMNS: usize = 104;
/// A letter's width, in pixels.
const LETTER: f64 = 8.4;
/// A line's height.
const LINE: usize = 19;
/// Around it all.
const MARGIN: usize = 20;

/// How a line looks: netdr prints no colours, a picture may.
fn style(line: &str) -> &'static str {
    let words = line.trim_start();
    match words.split(' ').next().unwrap_or_default() {
        "$" => "command",
        "+" | "recovered:" => "good",
        "-" => "bad",
        "~" => "changed",
        "An" | "Restore" | "Deletes" | "Step" | "STEP" => "head",
        "simulated" => "dim",
        _ if line.starts_with("  ") && words.len() < line.len() - 4 => "dim",
        _ => "plain",
    }
}

/// Lines as an SVG in a dark terminal; what is too long ends in `…`.
pub(crate) fn picture(title: &str, lines: &[String]) -> String {
    let (width, height) =
        ((COLUMNS as f64 * LETTER) as usize + 2 * MARGIN, (lines.len() + 3) * LINE + MARGIN);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }}
.plain {{ fill: #d0d7de }} .dim {{ fill: #8b949e }} .good {{ fill: #7ee787 }} .bad {{ fill: #ffa198 }} .changed {{ fill: #f2cc60 }}
.command, .head {{ fill: #ffffff; font-weight: bold }}
</style>
<rect width="{width}" height="{height}" rx="10" fill="#0d1117"/>
<circle cx="24" cy="20" r="6" fill="#ff5f57"/><circle cx="44" cy="20" r="6" fill="#febc2e"/><circle cx="64" cy="20" r="6" fill="#28c840"/>
"##
    );
    for (number, line) in lines.iter().enumerate() {
        let mut line: String = line.trim_end().into();
        if line.chars().count() > COLUMNS {
            line = line.chars().take(COLUMNS - 1).chain(['…']).collect();
        }
        if line.is_empty() {
            continue;
        }
        let (y, length) = ((number + 3) * LINE, line.chars().count() as f64 * LETTER);
        let (style, line) = (style(&line), escaped(&line));
        let _ = writeln!(
            svg,
            r#"<text class="{style}" x="{MARGIN}" y="{y}" textLength="{length:.1}" xml:space="preserve">{line}</text>"#
        );
    }
    svg + "</svg>\n"
}

/// The lines that a picture shows.
pub(crate) fn pictured(svg: &str) -> Vec<String> {
    let texts = svg.lines().filter_map(|line| line.strip_prefix("<text ")?.strip_suffix("</text>"));
    texts.map(|text| unescaped(text.split_once('>').unwrap().1)).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
