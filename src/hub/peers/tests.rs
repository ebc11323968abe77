//! Who has answered a question that every node is asked: ticked off by name, so that no answer stands for another's.

use super::*;
use crate::{
    broker::memory::MemoryBroker,
    hub::{HubSettings, tests::fixture::World},
};
use std::sync::Arc;

/// One node of several; the others are played by the test.
struct Among {
    world: World,
}

impl Among {
    fn nodes(others: &[NodeKey]) -> Self {
        let world = World::new(HubSettings::default());
        world.hub.attach(Arc::new(MemoryBroker::new(world.hub.clone())));
        let among = Self { world };
        for node in others {
            among.says(*node, Word::Beat);
        }
        among
    }

    fn says(&self, by: NodeKey, word: Word) {
        let mut body = vec![VERSION];
        rmp_serde::encode::write_named(&mut body, &Said { by, word }).expect("encoded");
        self.world.hub.hear(&Memo { channel: everybody(), body: body.into() });
    }

    /// Asks everybody what they carry, while these nodes answer with their names; what came of it, and in which time.
    async fn asked(&self, answering: &[(NodeKey, Answer)]) -> (Elsewhere<String>, Duration) {
        let (tell, told) = tokio::sync::oneshot::channel();
        let word = |question| {
            tell.send(question).expect("somebody answers");
            Word::Inquire { question, inquiry: Inquiry::View }
        };
        let name = |answer| match answer {
            Answer::View(view) => Some(view.node),
            _ => None,
        };
        let answers = async {
            let question: u64 = told.await.expect("asked");
            for (by, answer) in answering {
                self.says(*by, Word::Answered { question, answer: answer.clone() });
            }
        };
        let begun = Instant::now();
        let (elsewhere, ()) = tokio::join!(self.world.hub.ask_everybody(word, name), answers);
        (elsewhere, begun.elapsed())
    }
}

fn named(node: &str) -> Answer {
    let node = node.to_owned();
    Answer::View(NodeView { node, sessions: 0, people: 0, channels: 0, draining: false })
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_for_the_last_answer() {
    let among = Among::nodes(&[1, 2]);
    let (elsewhere, took) = among.asked(&[(2, named("two")), (1, named("one"))]).await;
    assert_eq!(elsewhere, Elsewhere { told: vec!["two".into(), "one".into()], silent: 0, is_cut_off: false });
    assert!(elsewhere.is_whole());
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_twice_stands_for_nobody_else() {
    let among = Among::nodes(&[1, 2]);
    let (elsewhere, took) = among.asked(&[(1, named("one")), (1, named("one again"))]).await;
    assert_eq!(elsewhere, Elsewhere { told: vec!["one".into()], silent: 1, is_cut_off: false });
    assert!(!elsewhere.is_whole());
    assert_eq!(took, ANSWER_TIME, "the other had its time");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_just_come_is_heard_and_stands_for_nobody_else() {
    let among = Among::nodes(&[1, 2]);
    let (elsewhere, _) = among.asked(&[(9, named("new")), (1, named("one"))]).await;
    assert_eq!(elsewhere, Elsewhere { told: vec!["new".into(), "one".into()], silent: 1, is_cut_off: false });
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_something_else_is_none() {
    let among = Among::nodes(&[1]);
    let (elsewhere, _) = among.asked(&[(1, Answer::Sessions(Vec::new()))]).await;
    assert_eq!(elsewhere, Elsewhere { told: vec![], silent: 1, is_cut_off: false });
}

#[tokio::test(start_paused = true)]
async fn a_node_that_said_good_bye_is_not_waited_for() {
    let among = Among::nodes(&[1, 2]);
    among.says(2, Word::Leaving);
    let (elsewhere, took) = among.asked(&[(1, named("one"))]).await;
    assert_eq!((elsewhere.silent, took), (0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_is_nobodys() {
    let among = Among::nodes(&[1]);
    let (elsewhere, _) = among.asked(&[]).await;
    assert_eq!(elsewhere.silent, 1);
    assert!(among.world.hub.peers.questions.lock().is_empty(), "nobody waits any more");
}
