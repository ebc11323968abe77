use super::*;

const PACES: Paces = Paces {
    ping_ms: 25_000,
    pong_ms: 10_000,
    connect_ms: 10_000,
    write_timeout_ms: 10_000,
    command_ms: 5_000,
    commands_per_second: 10,
};

fn connected(now: u64, expires_in: Option<u64>) -> Session {
    let mut session = Session::new(now, PACES, 0);
    assert_eq!(session.command(now, 1, true), Verdict::Run);
    session.connected(now, expires_in);
    session.replied();
    session.reply_left(now);
    session
}

/// Lets time pass from deadline to deadline up to `until`; what became due, with when.
fn pass(session: &mut Session, until: u64) -> Vec<(u64, Due)> {
    let mut seen = Vec::new();
    while let Some(at) = session.deadline().filter(|at| *at <= until) {
        let before = seen.len();
        while let Some(due) = session.tick(at) {
            seen.push((at, due));
        }
        assert!(seen.len() > before, "a deadline that brings nothing would spin: {session:?}");
    }
    seen
}

#[test]
fn who_does_not_connect_in_time_is_closed() {
    let mut session = Session::new(100, PACES, 0);
    assert_eq!(pass(&mut session, 60_000), [(10_100, Due::Close(CloseCode::NoConnect))]);
    assert!(!session.reads());
}

#[test]
fn other_commands_before_connect_are_refused_and_the_socket_stays() {
    let mut session = Session::new(0, PACES, 0);
    let Verdict::Refuse(error) = session.command(5, 7, false) else { panic!("taken before connect") };
    assert_eq!(error.code, Code::Unauthenticated);
    assert!(!session.reads(), "not before the refusal has left");
    session.reply_left(6);
    assert!(session.reads());
    assert_eq!(session.command(7, 8, true), Verdict::Run);
}

#[test]
fn connecting_twice_is_a_conflict() {
    let mut session = connected(0, None);
    let Verdict::Refuse(error) = session.command(1, 2, true) else { panic!("connected twice") };
    assert_eq!(error.code, Code::Conflict);
}

#[test]
fn one_command_at_a_time_and_the_next_only_when_the_reply_has_left() {
    let mut session = connected(0, None);
    assert_eq!(session.command(10, 2, false), Verdict::Run);
    assert!(!session.reads());
    session.replied();
    assert!(!session.reads(), "the reply still waits in the outbox");
    session.reply_left(20);
    assert!(session.reads());
}

#[test]
fn a_late_command_is_answered_and_the_next_may_come() {
    let mut session = connected(0, None);
    assert_eq!(session.command(1_000, 9, false), Verdict::Run);
    assert_eq!(pass(&mut session, 20_000), [(6_000, Due::CommandLate { id: 9 })]);
    session.reply_left(6_001);
    assert!(session.reads());
    assert_eq!(too_late().code, Code::Unavailable);
}

#[test]
fn a_silent_peer_is_pinged_then_closed() {
    let mut session = connected(0, None);
    assert_eq!(
        pass(&mut session, 100_000),
        [(25_000, Due::Ping), (25_000, Due::Heads), (35_000, Due::Close(CloseCode::NoPong))]
    );
}

#[test]
fn any_traffic_is_a_sign_of_life() {
    let mut session = connected(0, None);
    assert_eq!(pass(&mut session, 30_000), [(25_000, Due::Ping), (25_000, Due::Heads)]);
    session.heard(34_999);
    assert_eq!(pass(&mut session, 59_000), [(50_000, Due::Heads)]);
    assert_eq!(session.deadline(), Some(59_999));
}

#[test]
fn the_deadline_stands_still_while_a_command_runs() {
    let paces = Paces { command_ms: 60_000, ..PACES };
    let mut session = Session::new(0, paces, 0);
    assert_eq!(session.command(0, 1, true), Verdict::Run);
    session.connected(0, None);
    session.replied();
    session.reply_left(0);
    assert_eq!(pass(&mut session, 25_000).len(), 2, "a ping of both kinds");
    assert_eq!(session.command(30_000, 2, false), Verdict::Run);
    assert_eq!(pass(&mut session, 60_000), [(50_000, Due::Heads)], "pushes go on, no close");
    session.replied();
    session.reply_left(60_000);
    assert_eq!(
        pass(&mut session, 70_000),
        [(65_000, Due::Close(CloseCode::NoPong))],
        "five of ten seconds were left"
    );
}

#[test]
fn a_connect_that_takes_long_does_not_count_as_silence() {
    let mut session = Session::new(0, PACES, 0);
    assert_eq!(session.command(9_999, 1, true), Verdict::Run);
    assert_eq!(pass(&mut session, 14_000), []);
    session.connected(14_000, None);
    session.replied();
    session.reply_left(14_000);
    assert!(session.reads());
}

#[test]
fn jitter_moves_every_beat() {
    let mut session = Session::new(0, PACES, 700);
    assert_eq!(session.command(0, 1, true), Verdict::Run);
    session.connected(0, None);
    session.reply_left(0);
    assert_eq!(pass(&mut session, 30_000), [(25_700, Due::Ping), (25_700, Due::Heads)]);
}

#[test]
fn commands_over_the_rate_are_told_when_to_come_back() {
    let mut session = connected(0, None);
    let mut refused = None;
    for id in 2..20 {
        let verdict = session.command(100, id, false);
        session.replied();
        session.reply_left(100);
        if let Verdict::Refuse(error) = verdict {
            refused.get_or_insert((id, error));
        }
    }
    let (id, error) = refused.expect("eighteen at once are too many for ten a second");
    assert_eq!((id, error.code, error.retry_after_ms), (12, Code::RateLimited, Some(100)));
    assert_eq!(session.command(200, 30, false), Verdict::Run);
}

#[test]
fn twenty_malformed_messages_within_a_minute_close() {
    let mut session = connected(0, None);
    for count in 1..=19 {
        assert_eq!(session.malformed(count * 1_000), None, "message {count}");
        session.reply_left(count * 1_000);
    }
    assert_eq!(session.malformed(62_000), None, "the first two are a minute old");
    session.reply_left(62_000);
    assert_eq!(session.malformed(62_001), None);
    assert_eq!(session.malformed(62_002), Some(CloseCode::Malformed));
}

#[test]
fn a_token_is_announced_a_minute_before_its_end_and_closes_at_it() {
    let mut session = connected(0, Some(80_000));
    let seen = pass(&mut session, 24_999);
    assert_eq!(seen, [(20_000, Due::TokenExpiring)]);
    let mut told = Vec::new();
    while session.deadline().is_some_and(|at| at <= 90_000) {
        let at = session.deadline().expect("checked");
        session.heard(at);
        while let Some(due) = session.tick(at) {
            told.push((at, due));
        }
    }
    assert_eq!(told.last(), Some(&(80_000, Due::Close(CloseCode::TokenExpired))));
}

#[test]
fn a_refreshed_token_lasts_longer() {
    let mut session = connected(0, Some(61_000));
    assert_eq!(pass(&mut session, 2_000), [(1_000, Due::TokenExpiring)]);
    session.refreshed(2_000, Some(600_000));
    session.heard(60_000);
    let seen = pass(&mut session, 62_000);
    assert!(!seen.iter().any(|(_, due)| matches!(due, Due::Close(_))), "{seen:?}");
}

#[test]
fn a_socket_that_takes_nothing_is_closed_and_one_that_moves_is_not() {
    let mut session = connected(0, None);
    session.write_blocked(1_000);
    session.write_blocked(5_000);
    session.write_moved();
    assert_eq!(pass(&mut session, 12_000), []);
    session.write_blocked(12_000);
    assert_eq!(pass(&mut session, 22_000), [(22_000, Due::Close(CloseCode::WriteTimeout))]);
}
