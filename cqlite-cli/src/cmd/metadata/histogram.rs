//! Histograms of text.
//!
//! Authority: `o.a.c.tools.Util.TermHistogram`.

use super::text::{Style, push, pushln};
use cqlite_core::sstable::component::statistics::EstimatedHistogram;

/// Width of the longest bar.
const BAR_WIDTH: f64 = 30.0;
/// Buckets of the histogram that the percentiles are taken from.
const PERCENTILE_BUCKETS: usize = 165;

/// Appends a bar for each value with its count, and percentiles. `name` is how a value is shown, and may hold colors.
pub fn print(
    out: &mut Vec<u8>,
    style: &Style,
    title: &str,
    bins: &[(i64, i64)],
    name: impl Fn(i64) -> String,
) {
    let most = bins
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0)
        .max(0);
    let sum: f64 = bins.iter().map(|(_, count)| *count as f64).sum();
    let names: Vec<String> = bins.iter().map(|(value, _)| name(*value)).collect();
    let widths = names.iter().map(|name| style.width(name));
    let name_width = widths.max().unwrap_or(0).max(title.len());
    let counts = bins.iter().map(|(_, count)| count.to_string().len());
    let count_width = counts.max().unwrap_or(0).max("Count".len());

    pushln!(
        out,
        "   {}{title}{} {}{}{} {:<count_width$}  {}  {}Histogram{} ",
        style.blue(),
        " ".repeat(name_width - title.len()),
        style.cyan(),
        "|",
        style.blue(),
        "Count",
        style.quiet("%"),
        style.blue(),
        style.reset()
    );
    for (&(_, count), name) in bins.iter().zip(&names) {
        let percent = (100.0 * (count as f64 / sum)) as i64;
        pushln!(
            out,
            "   {name}{} {}|{} {count:>count_width$} {} {}{}{}",
            " ".repeat(name_width - style.width(name)),
            style.cyan(),
            style.reset(),
            style.quiet(&format!("{percent:>3}")),
            style.white(),
            bar(count as f64 / most as f64 * BAR_WIDTH, style.unicode),
            style.reset()
        );
    }
    let mut histogram = EstimatedHistogram::new(PERCENTILE_BUCKETS);
    for &(value, count) in bins {
        histogram.add(value, count);
    }
    pushln!(out, "{}   Percentiles{}", style.blue(), style.reset());
    for (percentile, value) in [
        ("50th", histogram.percentile(0.5)),
        ("75th", histogram.percentile(0.75)),
        ("95th", histogram.percentile(0.95)),
        ("98th", histogram.percentile(0.98)),
        ("99th", histogram.percentile(0.99)),
        ("Min", histogram.min()),
        ("Max", histogram.max()),
    ] {
        push!(out, "   {}{percentile:<10}{}", style.blue(), style.reset());
        pushln!(out, "{}", name(value));
    }
}

/// Whole characters, and one for the rest.
fn bar(length: f64, unicode: bool) -> String {
    let steps: &[(f64, &str)] = match unicode {
        true => &[
            (7.0 / 8.0, "\u{2589}"),
            (3.0 / 4.0, "\u{258a}"),
            (5.0 / 8.0, "\u{258b}"),
            (3.0 / 8.0, "\u{258d}"),
            (1.0 / 4.0, "\u{258e}"),
            (1.0 / 8.0, "\u{258f}"),
        ],
        false => &[(0.75, "o"), (0.30, ".")],
    };
    let whole = if unicode { "\u{2589}" } else { "O" };
    let count = length as usize;
    let rest = length - count as f64;
    let part = steps.iter().find(|(from, _)| *from <= rest);
    whole.repeat(count) + part.map_or("", |(_, part)| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_end_in_parts() {
        for (length, ascii, unicode) in [
            (2.0, "OO", "\u{2589}\u{2589}"),
            (1.8, "Oo", "\u{2589}\u{258a}"),
            (1.5, "O.", "\u{2589}\u{258d}"),
            (0.1, "", ""),
        ] {
            assert_eq!(bar(length, false), ascii);
            assert_eq!(bar(length, true), unicode);
        }
    }
}
