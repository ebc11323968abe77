//! People hear of what concerns them, once, and not too often.

use super::{
    World,
    world::{Bounds, all_ears, yes},
};
use crate::store::{
    Actor,
    log::{PageSize, Range},
    notifications::{NotificationPage, NotificationQuery, Place, ReadMark},
    people::Target,
};
use communiconnect_protocol::{
    Channel, Notification, NotificationEvent, NotificationKind, PostId, ReactionKind, event,
};
use futures_util::future::join_all;

/// Ada's post, with bob and eve beside her.
async fn scene(world: &World) -> ([Actor; 3], PostId) {
    let people = [world.person("ada").await, world.person("bob").await, world.person("eve").await];
    let community = world.community(people[0], "All", None).await.id;
    let post = world.post(people[0], community).await.id;
    world.told().await;
    (people, post)
}

const LIKE: Option<ReactionKind> = Some(ReactionKind::Like);

pub(crate) async fn authors_hear_of_comments_and_repliers_of_replies(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    let comment = world.comment(bob, post, None).await;
    let pushed = pushes(&world, ada).await;
    assert_eq!(pushed.len(), 1);
    let told = &pushed[0].notification;
    assert_eq!((told.kind, told.count, pushed[0].unread), (NotificationKind::Comment, 1, 1));
    assert_eq!((told.post_id, told.comment_id), (Some(post), Some(comment.id)));
    assert_eq!((names(told), told.text.as_str()), (vec!["bob"], "well said"));
    assert_eq!(list(&world, ada).await.notifications, std::slice::from_ref(told));

    world.comment(eve, post, Some(comment.id)).await;
    let told = world.told().await;
    let channels = [Channel::User(bob.user), Channel::User(ada.user)];
    assert_eq!(told.channels_of(event::NOTIFICATION), channels);
    let replied = list(&world, bob).await;
    assert_eq!(replied.notifications[0].kind, NotificationKind::Reply);
    let all = list(&world, ada).await;
    assert_eq!((all.unread, all.notifications.len()), (2, 2), "each comment is a notification of its own");
}

pub(crate) async fn nobody_hears_of_themselves_or_twice(world: World) {
    let ([ada, bob, _], post) = scene(&world).await;
    let own = world.comment(ada, post, None).await;
    world.react(ada, post, LIKE).await.expect("reacted");
    world.comment(ada, post, Some(own.id)).await;
    assert_eq!(list(&world, ada).await.notifications, []);
    world.comment(bob, post, Some(own.id)).await;
    let heard = list(&world, ada).await;
    assert_eq!((heard.notifications.len(), heard.notifications[0].kind), (1, NotificationKind::Reply));
}

pub(crate) async fn reactions_grow_into_one_notification(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    let dan = world.person("dan").await;
    let joe = world.person("joe").await;
    for who in [bob, eve, dan, joe] {
        world.pass(2_000);
        world.react(who, post, LIKE).await.expect("reacted");
        world.react(who, post, Some(ReactionKind::Love)).await.expect("reacted");
    }
    let page = list(&world, ada).await;
    assert_eq!((page.notifications.len(), page.unread), (1, 1));
    let all = &page.notifications[0];
    assert_eq!((names(all), all.count), (vec!["joe", "dan", "eve"], 4));
    assert_eq!((all.created_at, all.text.as_str()), (world.now(), "hello"));
    let pushed = pushes(&world, ada).await;
    assert_eq!(pushed.iter().map(|push| push.notification.count).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(pushed.iter().all(|push| push.notification.id == all.id && push.unread == 1));
}

pub(crate) async fn a_burst_is_published_once_a_second(world: World) {
    let ([ada, ..], post) = scene(&world).await;
    for number in 0..10 {
        let who = world.person(&format!("person{number}")).await;
        world.pass(10);
        world.react(who, post, LIKE).await.expect("reacted");
    }
    assert_eq!(pushes(&world, ada).await.len(), 1, "the first at once");
    assert_eq!(world.stores.notifications.flush(world.now()).await, Ok(0), "the second is not over");
    world.pass(1_000);
    assert_eq!(world.stores.notifications.flush(world.now()).await, Ok(1));
    let pushed = pushes(&world, ada).await;
    assert_eq!((pushed.len(), pushed[0].notification.count, pushed[0].unread), (1, 10, 1));
    assert_eq!(world.stores.notifications.flush(world.now() + 5_000).await, Ok(0), "nothing is left");
}

pub(crate) async fn a_restart_forgets_no_unpublished_change(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    world.react(bob, post, LIKE).await.expect("reacted");
    world.react(eve, post, LIKE).await.expect("reacted");
    let world = world.reopened(Bounds::default()).await;
    world.pass(1_000);
    assert_eq!(world.stores.notifications.flush(world.now()).await, Ok(1));
    let pushed = pushes(&world, ada).await;
    assert_eq!(pushed[0].notification.count, 2);
}

pub(crate) async fn taking_back_lowers_in_silence(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    world.react(bob, post, LIKE).await.expect("reacted");
    world.pass(2_000);
    world.react(eve, post, LIKE).await.expect("reacted");
    world.told().await;
    world.react(eve, post, None).await.expect("taken back");
    let page = list(&world, ada).await;
    assert_eq!((names(&page.notifications[0]), page.notifications[0].count), (vec!["bob"], 1));
    world.react(bob, post, None).await.expect("taken back");
    let page = list(&world, ada).await;
    assert_eq!((page.notifications.len(), page.unread), (0, 0));
    // Toggling does not push each time: the thousand milliseconds count on.
    for _ in 0..5 {
        world.react(bob, post, LIKE).await.expect("reacted");
        world.react(bob, post, None).await.expect("taken back");
    }
    assert_eq!(pushes(&world, ada).await.len(), 0);
    world.pass(2_000);
    assert_eq!(world.stores.notifications.flush(world.now()).await, Ok(0), "there is nothing to tell");
    world.react(bob, post, LIKE).await.expect("reacted");
    assert_eq!(pushes(&world, ada).await.len(), 1);
    assert_eq!(list(&world, ada).await.unread, 1);
}

pub(crate) async fn preferences_are_honoured(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    let wishes = [(NotificationKind::PostReaction, false), (NotificationKind::Comment, true)];
    let set = |wishes: &[(NotificationKind, bool)]| {
        world.stores.notifications.set_preferences(ada.user, wishes.iter().copied().collect())
    };
    let (all, changed) = set(&wishes).await.expect("set");
    assert!(changed && all.len() == NotificationKind::ALL.len());
    let unwished: Vec<_> = all.iter().filter(|(_, wanted)| !**wanted).map(|(kind, _)| *kind).collect();
    assert_eq!(unwished, [NotificationKind::PostReaction, NotificationKind::Follow]);
    assert!(!set(&wishes).await.expect("set").1, "the same again");
    world.react(bob, post, LIKE).await.expect("reacted");
    assert_eq!(list(&world, ada).await.notifications, []);
    world.comment(bob, post, None).await;
    assert_eq!(list(&world, ada).await.unread, 1);
    set(&[(NotificationKind::PostReaction, true)]).await.expect("set");
    world.react(eve, post, LIKE).await.expect("reacted");
    world.react(bob, post, None).await.expect("taken back");
    let page = list(&world, ada).await;
    let reactions = page.notifications.iter().find(|told| told.kind == NotificationKind::PostReaction);
    assert_eq!(reactions.map(|told| told.count), Some(1), "who was not counted lowers nothing");
}

pub(crate) async fn a_block_ends_hearing_of_each_other(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    world.comment(bob, post, None).await;
    world.react(bob, post, LIKE).await.expect("reacted");
    world.react(eve, post, LIKE).await.expect("reacted");
    assert_eq!(list(&world, ada).await.unread, 2);
    world.block(bob, ada).await;
    let page = list(&world, ada).await;
    assert_eq!((page.unread, page.notifications.len()), (1, 1));
    assert_eq!((names(&page.notifications[0]), page.notifications[0].count), (vec!["eve"], 1));
    world.told().await;
    world.comment(bob, post, None).await;
    world.react(bob, post, None).await.expect("taken back");
    world.react(bob, post, LIKE).await.expect("reacted");
    assert_eq!(pushes(&world, ada).await.len(), 0);
    assert_eq!(list(&world, ada).await.notifications[0].count, 1);
}

pub(crate) async fn reading_lowers_what_is_unread(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    for _ in 0..3 {
        world.comment(bob, post, None).await;
    }
    world.react(bob, post, LIKE).await.expect("reacted");
    let page = list(&world, ada).await;
    let ids: Vec<_> = page.notifications.iter().map(|told| told.id).collect();
    let read = |who: Actor, mark| world.stores.notifications.mark_read(who.user, mark, world.now());
    assert_eq!(read(bob, ReadMark::These(ids.clone())).await, Ok((false, 0)), "foreign ones are passed over");
    assert_eq!(read(ada, ReadMark::These(ids[..2].to_vec())).await, Ok((true, 2)));
    assert_eq!(read(ada, ReadMark::These(ids[..2].to_vec())).await, Ok((false, 2)));
    let unread = NotificationQuery { before: None, unread: true, limit: 10 };
    let page = world.stores.notifications.list(ada.user, unread).await.expect("a page");
    assert_eq!(page.notifications.len(), 2);
    assert_eq!(read(ada, ReadMark::All).await, Ok((true, 0)));
    assert!(list(&world, ada).await.notifications.iter().all(|told| told.read_at == Some(world.now())));
    world.pass(5_000);
    world.react(eve, post, LIKE).await.expect("reacted");
    let page = list(&world, ada).await;
    assert_eq!((page.unread, page.notifications[0].read_at), (1, None), "a new person makes it unread again");
}

pub(crate) async fn pages_are_newest_first(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    world.react(bob, post, LIKE).await.expect("reacted");
    for _ in 0..4 {
        world.pass(2_000);
        world.comment(bob, post, None).await;
    }
    let mut times = Vec::new();
    let mut query = NotificationQuery { before: None, unread: false, limit: 2 };
    loop {
        let page = world.stores.notifications.list(ada.user, query).await.expect("a page");
        times.extend(page.notifications.iter().map(|told| told.created_at));
        query.before = page.notifications.last().map(Place::from);
        if !page.more {
            break;
        }
    }
    assert!(times.len() == 5 && times.is_sorted_by(|a, b| a > b), "{times:?}");
    world.pass(2_000);
    world.react(eve, post, LIKE).await.expect("reacted");
    let first = &list(&world, ada).await.notifications[0];
    assert_eq!((first.kind, first.count), (NotificationKind::PostReaction, 2), "renewed, so first again");
    // Somebody who has just read the page that ended with it goes on where they were.
    let before = Some(Place { created_at: times[4], id: first.id });
    let query = NotificationQuery { before, unread: false, limit: 10 };
    let page = world.stores.notifications.list(ada.user, query).await.expect("a page");
    assert_eq!(page.notifications, [], "and sees nothing twice");
}

pub(crate) async fn what_is_deleted_takes_its_notifications(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    let comment = world.comment(bob, post, None).await.id;
    world.comment(eve, post, Some(comment)).await;
    world.react_to_comment(eve, comment, LIKE).await.expect("reacted");
    world.react(eve, post, LIKE).await.expect("reacted");
    assert_eq!((list(&world, ada).await.unread, list(&world, bob).await.unread), (3, 2));
    world.stores.comments.delete(bob, comment, world.now(), yes()).await.expect("deleted");
    assert_eq!((list(&world, ada).await.unread, list(&world, bob).await.unread), (1, 0));
    world.stores.posts.delete(ada, post, world.now(), yes()).await.expect("deleted");
    for who in [ada, bob] {
        let page = list(&world, who).await;
        assert_eq!((page.notifications, page.unread), (Vec::new(), 0));
    }
}

pub(crate) async fn inboxes_are_bounded(world: World) {
    let ([ada, bob, _], post) = scene(&world).await;
    let adding = |_| world.comment(bob, post, None);
    join_all((0..1_200).map(adding)).await;
    let page = world
        .stores
        .notifications
        .list(ada.user, NotificationQuery { before: None, unread: true, limit: 2_000 });
    let page = page.await.expect("a page");
    assert!((1_000..1_100).contains(&page.notifications.len()), "{}", page.notifications.len());
    assert_eq!(page.unread, page.notifications.len() as u64);
}

pub(crate) async fn a_notification_begun_anew_counts_for_itself(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    world.react(bob, post, LIKE).await.expect("reacted");
    world.pass(1_000);
    // The inbox overflows, and the oldest go: bob's like too.
    join_all((0..1_200).map(|_| world.comment(bob, post, None))).await;
    let query = NotificationQuery { before: None, unread: false, limit: 2_000 };
    let liked = async || {
        let page = world.stores.notifications.list(ada.user, query).await.expect("a page");
        let mut likes =
            page.notifications.into_iter().filter(|told| told.kind == NotificationKind::PostReaction);
        likes.next().map(|told| told.count)
    };
    assert_eq!(liked().await, None);
    world.react(eve, post, LIKE).await.expect("reacted");
    assert_eq!(liked().await, Some(1));
    world.react(bob, post, None).await.expect("taken back");
    assert_eq!(liked().await, Some(1), "the one that counted bob is gone");
    world.react(eve, post, None).await.expect("taken back");
    assert_eq!(liked().await, None);
}

pub(crate) async fn a_block_takes_the_other_out_of_the_log(world: World) {
    let ([ada, bob, eve], post) = scene(&world).await;
    // Eve is named first, bob behind her: the entry's own actor does not tell of him.
    for who in [bob, eve] {
        world.react(who, post, LIKE).await.expect("reacted");
        world.pass(2_000);
    }
    world.comment(bob, post, None).await;
    world.comment(eve, post, None).await;
    world.block(ada, bob).await;
    assert_eq!(logged(&world, ada).await, [["eve"]], "the likes that named bob are overwritten");
    assert_eq!(
        world.stores.notifications.flush(world.now()).await,
        Ok(1),
        "what is left of them is told anew"
    );
    assert_eq!(logged(&world, ada).await, [["eve"], ["eve"]]);
    let pushed = pushes(&world, ada).await;
    let last = pushed.last().expect("pushed");
    assert_eq!((last.notification.count, last.unread), (1, 2));
    assert_eq!(list(&world, ada).await.notifications.len(), 2);
    let target = Target { user: bob.user, on: false, at: world.now() };
    world.stores.people.set_block(ada, target, all_ears).await.expect("unblocked");
    assert_eq!(logged(&world, ada).await, [["eve"], ["eve"]], "it does not come back");
}

/// Whom the notifications in a person's log name.
async fn logged(world: &World, who: Actor) -> Vec<Vec<String>> {
    let size = PageSize { items: 100, bytes: 1 << 20 };
    let page = world.stores.log.page(&Channel::User(who.user), Range::After(0), size).await.expect("a page");
    let told = page.publications.iter().filter(|entry| *entry.event == *event::NOTIFICATION);
    told.map(|entry| {
        let event: NotificationEvent = entry.data.read().expect("an event");
        names(&event.notification).into_iter().map(str::to_owned).collect()
    })
    .collect()
}

pub(crate) async fn a_follower_is_told_of_once(world: World) {
    let ([ada, bob, carl], _) = scene(&world).await;
    world.follow(carl, ada).await;
    assert_eq!(list(&world, ada).await.notifications, [], "not wished for");
    let wish = [(NotificationKind::Follow, true)].into();
    world.stores.notifications.set_preferences(ada.user, wish).await.expect("wished");
    world.follow(bob, ada).await;
    let away = Target { user: ada.user, on: false, at: world.now() };
    world.stores.people.set_follow(bob, away, yes(), all_ears).await.expect("unfollowed");
    world.follow(bob, ada).await;
    let page = list(&world, ada).await;
    assert_eq!((page.notifications.len(), page.unread), (1, 1));
    assert_eq!(
        (page.notifications[0].kind, names(&page.notifications[0])),
        (NotificationKind::Follow, vec!["bob"])
    );
}

async fn list(world: &World, who: Actor) -> NotificationPage {
    let query = NotificationQuery { before: None, unread: false, limit: 100 };
    world.stores.notifications.list(who.user, query).await.expect("a page")
}

/// What was pushed to a person since the last look.
async fn pushes(world: &World, who: Actor) -> Vec<NotificationEvent> {
    let told = world.told().await;
    let entries = told.of(&Channel::User(who.user)).into_iter();
    entries
        .filter(|publication| *publication.event == *event::NOTIFICATION)
        .map(|publication| publication.data.read().expect("an event"))
        .collect()
}

fn names(told: &Notification) -> Vec<&str> {
    told.actors.iter().map(|actor| actor.username.as_str()).collect()
}
