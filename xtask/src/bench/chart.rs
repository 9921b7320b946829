//! The bar chart: each row's share of Linux's cost, the cheapest first.

use std::fmt::Write;

use super::table::{AIM, Compared, geometric_mean};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 72.0;
const STEP: f64 = 15.0;
/// What the axis shows: powers of two, from this one to that.
const AXIS: (i32, i32) = (-4, 3);

/// Draws the rows that have a ratio.
pub(super) fn svg(rows: &[Compared]) -> String {
    let mut bars: Vec<(&Compared, f64)> =
        rows.iter().filter_map(|row| row.ratio.map(|ratio| (row, ratio))).collect();
    bars.sort_by(|left, right| left.1.total_cmp(&right.1));
    let bottom = TOP + STEP * bars.len() as f64;
    let height = bottom + 28.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"17\" font-weight=\"bold\">What Exo-OS costs, as a share of Linux 6.1 \
         at its fastest</text>\n"
    );
    let mean = geometric_mean(rows.iter().filter(|row| !row.is_memory));
    let mean = mean.map_or_else(String::new, |(mean, count)| {
        format!("instructions, geometric mean of {count} operations: {mean:.2}; ")
    });
    text(&mut out, 16.0, 46.0, "start", &format!("{mean}bars to the left of 1 are cheaper than Linux"));
    for power in AXIS.0..=AXIS.1 {
        let x = place(f64::powi(2.0, power));
        line(&mut out, x, bottom, if power == 0 { "#444444" } else { "#dddddd" }, "");
        text(&mut out, x, TOP - 8.0, "middle", &tick(power));
        text(&mut out, x, bottom + 16.0, "middle", &tick(power));
    }
    line(&mut out, place(AIM), bottom, "#2b8a3e", " stroke-dasharray=\"4 3\"");
    for (at, (row, ratio)) in bars.iter().enumerate() {
        let y = TOP + STEP * at as f64 + 2.0;
        let (one, end) = (place(1.0), place(*ratio));
        let colour = match *ratio {
            ratio if ratio <= AIM => "#37b24d",
            ratio if ratio <= 1.0 => "#f59f00",
            _ => "#e03131",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>",
            one.min(end),
            (end - one).abs().max(1.0),
            STEP - 4.0
        );
        text(&mut out, LEFT - 10.0, y + 9.0, "end", &row.name);
        let (x, anchor) = if end < one { (end - 4.0, "end") } else { (end + 4.0, "start") };
        text(&mut out, x, y + 9.0, anchor, &format!("{ratio:.2}"));
    }
    out + "</svg>\n"
}

/// Returns where on the axis a ratio is.
fn place(ratio: f64) -> f64 {
    let (least, most) = (f64::from(AXIS.0), f64::from(AXIS.1));
    let power = ratio.max(1e-9).log2().clamp(least, most);
    LEFT + (WIDTH - LEFT - RIGHT) * (power - least) / (most - least)
}

fn tick(power: i32) -> String {
    if power < 0 { format!("1/{}", 1 << -power) } else { format!("{}", 1 << power) }
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>");
}

fn line(out: &mut String, x: f64, bottom: f64, colour: &str, style: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"{colour}\"{style}/>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_is_logarithmic_and_has_ends() {
        assert_eq!(place(1.0 / 16.0), LEFT);
        assert_eq!(place(8.0), WIDTH - RIGHT);
        assert_eq!(place(1000.0), WIDTH - RIGHT);
        assert!((place(2.0) - place(1.0) - (place(1.0) - place(0.5))).abs() < 1e-9);
        assert_eq!((tick(-2), tick(1)), ("1/4".to_owned(), "2".to_owned()));
    }
}
