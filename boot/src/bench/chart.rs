//! The comparison as a picture: a bar a row, on a logarithmic scale, with the bars to be met as lines.

use svg::Document;
use svg::node::element::{Line, Rectangle, Text, Title};

use super::figures::{Comparison, MEAN_BAR, ROW_BAR};

/// Pixels: height of a row, room for names, length of the scale, room above.
const ROW: f64 = 14.0;
const NAMES: f64 = 270.0;
const SCALE: f64 = 560.0;
const TOP: f64 = 48.0;

/// Ends of the scale: parts of Linux's figure.
const LEAST: f64 = 0.01;
const MOST: f64 = 4.0;

/// Where `ratio` lies on the scale, in pixels.
fn place(ratio: f64) -> f64 {
    let ratio = ratio.clamp(LEAST, MOST);
    NAMES + SCALE * (ratio / LEAST).ln() / (MOST / LEAST).ln()
}

fn text(x: f64, y: f64, anchor: &str, words: impl Into<String>) -> Text {
    Text::new(words).set("x", x).set("y", y).set("text-anchor", anchor)
}

fn line(ratio: f64, height: f64, colour: &str) -> Line {
    let x = place(ratio);
    Line::new().set("x1", x).set("x2", x).set("y1", TOP).set("y2", height - ROW).set("stroke", colour)
}

/// An SVG document.
pub(super) fn draw(comparison: &Comparison) -> String {
    #[expect(clippy::cast_precision_loss, reason = "there are a hundred rows")]
    let height = TOP + ROW * (comparison.rows.len() + 1) as f64;
    let width = NAMES + SCALE + 60.0;
    let mean = comparison.mean();
    let mut document = Document::new()
        .set("viewBox", (0.0, 0.0, width, height))
        .set("font-family", "sans-serif")
        .set("font-size", 10)
        .add(Rectangle::new().set("width", width).set("height", height).set("fill", "white"))
        .add(
            text(
                NAMES,
                14.0,
                "start",
                format!("Guest instructions, Sugarbush / Linux: geometric mean {mean:.3}"),
            )
            .set("font-size", 13),
        );
    for (ratio, words) in
        [(LEAST, "0.01"), (0.05, "0.05"), (MEAN_BAR, "0.15"), (ROW_BAR, "0.5"), (1.0, "1"), (MOST, "4")]
    {
        document =
            document.add(text(place(ratio), TOP - 6.0, "middle", words)).add(line(ratio, height, "#dddddd"));
    }
    let mut y = TOP;
    for row in &comparison.rows {
        document = document.add(text(NAMES - 6.0, y + ROW - 4.0, "end", row.name.clone()));
        if let (Some(ratio), Some(ours)) = (row.ratio(), row.ours) {
            let colour = if ratio > ROW_BAR { "#c0562f" } else { "#4a7c3a" };
            let bar = Rectangle::new()
                .set("x", NAMES)
                .set("y", y + 2.0)
                .set("width", place(ratio) - NAMES)
                .set("height", ROW - 4.0)
                .set("fill", colour)
                .add(Title::new(format!("{ours} / {}", row.linux)));
            document = document.add(bar).add(text(
                place(ratio) + 3.0,
                y + ROW - 4.0,
                "start",
                format!("{ratio:.2}"),
            ));
        }
        y += ROW;
    }
    document.add(line(MEAN_BAR, height, "#4a7c3a")).add(line(ROW_BAR, height, "#c0562f")).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::figures::Row;
    use super::*;

    #[test]
    fn every_row_has_its_name_and_a_bar_as_long_as_its_ratio() {
        let row = |name: &str, ours| Row { name: name.to_owned(), ours, linux: 100 };
        let rows = vec![row("cheap", Some(4)), row("dear", Some(90)), row("absent", None)];
        let chart = draw(&Comparison { source: String::new(), rows });
        for words in ["cheap", "dear", "absent", "0.04", "0.90", "4 / 100", "geometric mean"] {
            assert!(chart.contains(words), "{words} is missing in {chart}");
        }
        assert!(place(0.04) < place(0.9));
        assert_eq!(place(1e9), NAMES + SCALE);
    }
}
