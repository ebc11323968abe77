//! A run as a picture: what readers waited, what they were given, and what the server used, second by second.

use crate::report::Report;
use anyhow::Result;
use plotters::{
    coord::Shift,
    prelude::{
        ChartBuilder, Color, DrawingArea, IntoDrawingArea, IntoLogRange, LineSeries, PathElement, RGBColor,
        SVGBackend, WHITE,
    },
};

/// Width and height in pixels.
const SIZE: (u32, u32) = (900, 900);
/// Told apart by people who do not see red and green as others do (Okabe and Ito).
const COLOURS: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0)];
const MEBIBYTE: f64 = 1_048_576.0;

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Line = (&'static str, Vec<(f64, f64)>);

/// Draws the report as SVG.
///
/// # Errors
/// Where it cannot be drawn: a report without one second has nothing to show, and gives empty panels.
pub fn svg(report: &Report) -> Result<String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(report.title(), ("sans-serif", 15))?;
        let panels = root.split_evenly((4, 1));
        let start = start(report);
        let time = |at: f64| (at - start).max(0.0);
        let seconds = |value: fn(&crate::crowd::Second) -> f64| {
            report.seconds.iter().map(|second| (time(second.at as f64), value(second))).collect::<Vec<_>>()
        };
        let resident =
            report.samples.iter().map(|at| (time(at.at as f64 / 1e6), at.resident as f64 / MEBIBYTE));
        let cores = report.samples.windows(2).map(|pair| {
            let spell = (pair[1].at - pair[0].at) as f64 / 1e6;
            let cpu = pair[1].cpu.saturating_sub(pair[0].cpu).as_secs_f64();
            (time(pair[1].at as f64 / 1e6), cpu / spell.max(0.001))
        });
        let delays = [("p50", seconds(|second| second.p50_ms)), ("p99", seconds(|second| second.p99_ms))];
        spread(&panels[0], "delay of a delivery, ms", &delays)?;
        level(&panels[1], "deliveries in a second", &("", seconds(|second| second.pushed as f64)))?;
        level(&panels[2], "cores of the server", &("", cores.collect()))?;
        level(&panels[3], "resident memory of the server, MiB", &("", resident.collect()))?;
        root.present()?;
    }
    Ok(text)
}

/// The first second of anything.
fn start(report: &Report) -> f64 {
    let second = report.seconds.first().map(|second| second.at as f64);
    let sample = report.samples.first().map(|sample| sample.at as f64 / 1e6);
    [second, sample].into_iter().flatten().fold(f64::INFINITY, f64::min)
}

/// The largest of some coordinates, and 1 where there is none.
fn most(points: impl Iterator<Item = f64>) -> f64 {
    points.fold(f64::NAN, f64::max).max(f64::MIN_POSITIVE).max(0.1)
}

/// Lines over a logarithmic scale: delays differ by magnitudes.
fn spread(panel: &Panel<'_>, caption: &str, lines: &[Line]) -> Result<()> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let (end, top) = (most(points().map(|point| point.0)), most(points().map(|point| point.1)));
    let mut chart = ChartBuilder::on(panel)
        .caption(caption, ("sans-serif", 13))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end, (0.1..top * 1.2).log_scale())?;
    chart.configure_mesh().draw()?;
    for ((name, points), colour) in lines.iter().zip(COLOURS) {
        chart
            .draw_series(LineSeries::new(points.iter().copied(), &colour))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
    Ok(())
}

/// One line from 0 up.
fn level(panel: &Panel<'_>, caption: &str, (_, points): &Line) -> Result<()> {
    let (end, top) = (most(points.iter().map(|point| point.0)), most(points.iter().map(|point| point.1)));
    let mut chart = ChartBuilder::on(panel)
        .caption(caption, ("sans-serif", 13))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end, 0.0..top * 1.1)?;
    chart.configure_mesh().draw()?;
    chart.draw_series(LineSeries::new(points.iter().copied(), &COLOURS[0]))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crowd::Second, watch::Sample};
    use std::time::Duration;

    #[test]
    fn a_run_is_drawn_and_an_empty_one_too() {
        let mut report = Report::new("fanout", "Readers & writers".into());
        let empty = svg(&report).expect("empty panels");
        report.seconds = (0..20)
            .map(|at| Second { at: 100 + at, pushed: 1_000 + at, p50_ms: 1.0, p99_ms: 20.0 + at as f64 })
            .collect();
        report.samples = (0..20)
            .map(|at| Sample {
                at: (100 + at) * 1_000_000,
                cpu: Duration::from_millis(300 * at),
                resident: 50 << 20,
            })
            .collect();
        let drawn = svg(&report).expect("a picture");
        assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"), "{drawn}");
        for text in ["Readers &amp; writers", "p99", "resident memory"] {
            assert!(drawn.contains(text), "{text} is missing in {drawn}");
        }
        assert!(drawn.matches("<polyline").count() > empty.matches("<polyline").count());
    }
}
