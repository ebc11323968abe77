//! What every scenario of the hub tells.

use super::stage::Played;
use crate::{crowd::Voice, publish::Published, report::Report, spread::Spread};
use serde_json::json;

const MEBIBYTE: f64 = 1_048_576.0;

/// How publications went in.
pub(super) fn publications(report: &mut Report, published: Published) {
    let Published { sent, acknowledged, wait, findings, .. } = published;
    report.line(format!("{acknowledged} of {sent} publications acknowledged"));
    report.line(format!("acknowledged after   {}", Spread::of(&wait)));
    report.figure("sent", sent);
    report.figure("acknowledged", acknowledged);
    report.figure("acknowledged_ms", Spread::of(&wait));
    report.findings.add(findings);
}

/// What readers were given, and what that cost.
pub(super) fn delivery(report: &mut Report, played: Played) {
    for voice in &played.tally.voices {
        one_voice(report, voice);
    }
    let voices: Vec<_> = played.tally.voices.iter().map(figures).collect();
    report.figure("readers", played.readers);
    report.figure("voices", voices);
    report.figure("pushed", played.tally.pushed());
    report.figure("delay_ms", Spread::of(&played.tally.delay()));
    server(report, &played);
    let cores = played.own_cpu.as_secs_f64() / played.seconds.max(0.001);
    let each = played.own_bytes as f64 / played.readers.max(1) as f64;
    report.line(format!("the load itself: {cores:.2} cores, {:.1} KiB a reader", each / 1_024.0));
    report.figure("load_cores", cores);
    report.figure("load_bytes_per_reader", each);
    report.findings.add(played.tally.findings);
    report.seconds = played.tally.seconds;
    report.samples = played.samples;
}

/// Where everybody has to stay connected: whose connection was closed or failed is a finding.
pub(super) fn undisturbed(played: &mut Played) {
    undisturbed_where(played, |_| true);
}

/// Where these have to, by their voice.
pub(super) fn undisturbed_where(played: &mut Played, stays: impl Fn(&Voice) -> bool) {
    for voice in played.tally.voices.iter().filter(|voice| stays(voice)) {
        let disturbed = voice.closed + voice.failed;
        if disturbed > 0 {
            let text = format!("{}: {disturbed} connections were closed or failed, unasked", voice.name);
            played.tally.findings.wrong("disturbed", text);
        }
    }
}

/// Microseconds of the server's CPU for each delivery; none where its process is not known.
pub(super) fn cpu_of_a_delivery(played: &Played) -> Option<f64> {
    let (full, last) = (played.full?, played.last?);
    let used = last.cpu.saturating_sub(full.cpu).as_secs_f64();
    Some(used * 1e6 / played.tally.pushed().max(1) as f64)
}

fn one_voice(report: &mut Report, voice: &Voice) {
    let Voice { name, pushed, fetched, cut, states, signals, flows, closed, failed, delay, late, came, back } =
        voice;
    report.line(format!("{name}: {pushed} deliveries, after {}", Spread::of(delay)));
    let spreads =
        [(late, "fetched what was not pushed"), (came, "subscribed"), (back, "back with everything")];
    for (spread, what) in spreads {
        if !spread.is_empty() {
            report.line(format!("{name}: {what} after {}", Spread::of(spread)));
        }
    }
    let rare = [
        (fetched, "fetched"),
        (cut, "cut to gaps"),
        (states, "states"),
        (signals, "signals"),
        (flows, "flows told"),
        (closed, "connections closed unasked"),
        (failed, "tries to connect failed"),
    ];
    let rare: Vec<_> = rare
        .into_iter()
        .filter(|(count, _)| **count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !rare.is_empty() {
        report.line(format!("{name}: {}", rare.join(", ")));
    }
}

fn figures(voice: &Voice) -> serde_json::Value {
    json!({
        "name": voice.name, "pushed": voice.pushed, "fetched": voice.fetched, "cut": voice.cut,
        "states": voice.states, "signals": voice.signals, "flows": voice.flows, "closed": voice.closed,
        "failed": voice.failed, "delay_ms": Spread::of(&voice.delay), "fetched_ms": Spread::of(&voice.late), "subscribed_ms": Spread::of(&voice.came),
        "back": voice.back.len(), "back_ms": Spread::of(&voice.back),
    })
}

fn server(report: &mut Report, played: &Played) {
    let (Some(empty), Some(full), Some(last)) = (played.empty, played.full, played.last) else { return };
    let used = last.cpu.saturating_sub(full.cpu).as_secs_f64();
    let cores = used / played.seconds.max(0.001);
    let each = full.resident.saturating_sub(empty.resident) as f64 / played.readers.max(1) as f64;
    if let (Some(cpu), true) = (cpu_of_a_delivery(played), played.tally.pushed() > 0) {
        report.line(format!("server: {cpu:.2} us of CPU a delivery, {cores:.2} cores"));
        report.figure("cpu_us_per_delivery", cpu);
    } else {
        report.line(format!("server: {cores:.2} cores"));
    }
    report.line(format!(
        "server: {:.1} MiB resident before, {:.1} with all readers ({:.1} KiB each), {:.1} at the end",
        empty.resident as f64 / MEBIBYTE,
        full.resident as f64 / MEBIBYTE,
        each / 1_024.0,
        last.resident as f64 / MEBIBYTE,
    ));
    // The first tenth is for buffers and caches to grow to what the work needs.
    let settled = played.samples.get(played.samples.len() / 10);
    if let (Some(settled), Some(end)) = (settled, played.samples.last())
        && played.samples.len() >= 60
    {
        report.line(format!(
            "server: {:.1} MiB resident after a tenth of the time, {:.1} at its end",
            settled.resident as f64 / MEBIBYTE,
            end.resident as f64 / MEBIBYTE,
        ));
    }
    report.figure("server_cores", cores);
    report.figure("resident", [empty.resident, full.resident, last.resident]);
    report.figure("bytes_per_reader", each);
}
