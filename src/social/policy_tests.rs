//! Every combination of facts against what the contract says in words (protocol.md §1, §3).

use super::*;
use communiconnect_protocol::{CommentId, CommunityId, PostId, UserId};

const POSTED_AT: i64 = 1_700_000_000_000;
const WINDOW_MS: i64 = 30 * 60_000;

const ROLES: [Option<CommunityRole>; 3] = [None, Some(CommunityRole::Member), Some(CommunityRole::Moderator)];

/// Everything that a reader can be to a person. A block removes follows, but the policy must not depend on it.
fn relations() -> Vec<Relation> {
    let mut all = vec![Relation { is_self: true, follows: false, blocked: false }];
    for follows in [false, true] {
        for blocked in [false, true] {
            all.push(Relation { is_self: false, follows, blocked });
        }
    }
    all
}

fn readers() -> Vec<Reader> {
    let person = Some(UserId::new(1));
    let mut all: Vec<Reader> = Role::ALL.iter().map(|role| Reader { user: person, role: *role }).collect();
    all.push(Reader { user: None, role: Role::User });
    all
}

/// Every post that can exist: anonymous ones are public.
fn posts() -> Vec<PostFacts> {
    let mut all = Vec::new();
    for visibility in Visibility::ALL {
        for anonymous in [false, true] {
            if anonymous && *visibility != Visibility::Public {
                continue;
            }
            for relation in relations() {
                for community_role in ROLES {
                    all.push(PostFacts {
                        visibility: *visibility,
                        anonymous,
                        relation,
                        community_role,
                        ..post()
                    });
                }
            }
        }
    }
    all
}

fn comments() -> Vec<CommentFacts> {
    let mut all = Vec::new();
    for post in posts() {
        for anonymous in [false, true] {
            for relation in relations() {
                all.push(CommentFacts { anonymous, relation, ..comment(&post) });
            }
        }
    }
    all
}

fn post() -> PostFacts {
    PostFacts {
        id: PostId::from_bytes([1; 16]),
        community_id: CommunityId::from_bytes([2; 16]),
        author: UserId::from_bytes([3; 16]),
        anonymous: false,
        visibility: Visibility::Public,
        created_at: POSTED_AT,
        version: 1,
        relation: Relation::default(),
        community_role: None,
        is_live: false,
    }
}

fn comment(post: &PostFacts) -> CommentFacts {
    CommentFacts {
        id: CommentId::from_bytes([4; 16]),
        author: UserId::from_bytes([5; 16]),
        anonymous: false,
        depth: 0,
        created_at: POSTED_AT,
        relation: Relation::default(),
        post: post.clone(),
    }
}

fn code(verdict: Verdict) -> Option<Code> {
    verdict.err().map(|refusal| refusal.code)
}

/// The contract in words: private ones for the author alone, followers-only ones for followers and author, a block hides
/// what is named.
fn should_see_post(post: &PostFacts) -> bool {
    let Relation { is_self, follows, blocked } = post.relation;
    match (post.visibility, post.anonymous) {
        _ if is_self => true,
        (Visibility::Public, true) => true,
        (Visibility::Public, false) => !blocked,
        (Visibility::Followers, _) => follows && !blocked,
        (Visibility::Private, _) => false,
    }
}

fn should_see_comment(comment: &CommentFacts) -> bool {
    let own = comment.relation.is_self;
    should_see_post(&comment.post) && (own || comment.anonymous || !comment.relation.blocked)
}

#[test]
fn every_post_is_seen_by_exactly_whom_the_contract_says() {
    for post in posts() {
        assert_eq!(sees_post(&post), should_see_post(&post), "{post:?}");
        let expected = (!should_see_post(&post)).then_some(Code::NotFound);
        assert_eq!(code(read_post(&post)), expected, "{post:?}");
    }
}

#[test]
fn every_comment_is_seen_by_exactly_whom_the_contract_says() {
    for comment in comments() {
        assert_eq!(sees_comment(&comment), should_see_comment(&comment), "{comment:?}");
        let expected = (!should_see_comment(&comment)).then_some(Code::NotFound);
        assert_eq!(code(read_comment(&comment)), expected, "{comment:?}");
    }
}

#[test]
fn what_is_hidden_is_refused_in_the_words_for_what_is_not_there() {
    let hidden = PostFacts { visibility: Visibility::Private, ..post() };
    assert_eq!(read_post(&hidden), Err(StoreError::NotFound("post").into()));
    assert_eq!(read_comment(&comment(&hidden)), Err(StoreError::NotFound("comment").into()));
    assert_eq!(edit_post(&hidden, POSTED_AT, WINDOW_MS), Err(StoreError::NotFound("post").into()));
    assert_eq!(comment_on(&hidden, None, 3), Err(StoreError::NotFound("post").into()));
    assert_eq!(edit_comment(&comment(&hidden)), Err(StoreError::NotFound("comment").into()));
}

#[test]
fn only_the_author_edits_a_post_and_only_within_the_window() {
    for post in posts() {
        let expected = match (should_see_post(&post), post.relation.is_self) {
            (false, _) => Some(Code::NotFound),
            (true, false) => Some(Code::Forbidden),
            (true, true) => None,
        };
        assert_eq!(code(edit_post(&post, POSTED_AT + 1, WINDOW_MS)), expected, "{post:?}");
        let late = code(edit_post(&post, POSTED_AT + WINDOW_MS + 1, WINDOW_MS));
        assert_eq!(late, expected.or(Some(Code::WindowClosed)), "{post:?}");
    }
}

#[test]
fn the_window_is_open_at_29_59_and_closed_at_30_01() {
    let own = PostFacts { relation: Relation { is_self: true, ..Relation::default() }, ..post() };
    let minutes = |m: i64, s: i64| POSTED_AT + (m * 60 + s) * 1000;
    assert_eq!(edit_post(&own, minutes(29, 59), WINDOW_MS), Ok(()));
    assert_eq!(edit_post(&own, minutes(30, 0), WINDOW_MS), Ok(()));
    assert_eq!(code(edit_post(&own, minutes(30, 1), WINDOW_MS)), Some(Code::WindowClosed));
    assert_eq!(
        edit_post(&own, POSTED_AT - 5_000, WINDOW_MS),
        Ok(()),
        "a clock that was set back closes nothing"
    );
}

#[test]
fn authors_moderators_who_see_it_and_staff_delete_a_post() {
    for reader in readers() {
        for post in posts() {
            let staff = matches!(reader.role, Role::Moderator | Role::Admin);
            let moderates = post.community_role == Some(CommunityRole::Moderator);
            let expected = if staff {
                None
            } else if !should_see_post(&post) {
                Some(Code::NotFound)
            } else if post.relation.is_self || moderates {
                None
            } else {
                Some(Code::Forbidden)
            };
            assert_eq!(code(delete_post(reader, &post)), expected, "{reader:?} {post:?}");
        }
    }
}

#[test]
fn authors_moderators_who_see_it_and_staff_delete_a_comment_but_authors_alone_edit_it() {
    for comment in comments() {
        let moderates = comment.post.community_role == Some(CommunityRole::Moderator);
        let own = comment.relation.is_self;
        let unless = |may: bool| match (should_see_comment(&comment), may) {
            (false, _) => Some(Code::NotFound),
            (true, false) => Some(Code::Forbidden),
            (true, true) => None,
        };
        assert_eq!(code(edit_comment(&comment)), unless(own), "{comment:?}");
        for reader in readers() {
            let staff = matches!(reader.role, Role::Moderator | Role::Admin);
            let expected = if staff { None } else { unless(own || moderates) };
            assert_eq!(code(delete_comment(reader, &comment)), expected, "{reader:?} {comment:?}");
        }
    }
}

#[test]
fn a_role_without_a_person_is_no_staff() {
    let nobody = Reader { user: None, role: Role::Admin };
    assert_eq!(code(delete_post(nobody, &post())), Some(Code::Forbidden));
}

#[test]
fn commenting_takes_seeing_and_not_membership() {
    for post in posts() {
        let expected = (!should_see_post(&post)).then_some(Code::NotFound);
        assert_eq!(code(comment_on(&post, None, 3)), expected, "{post:?}");
    }
}

#[test]
fn replies_nest_three_deep_below_comments_that_one_sees() {
    let here = post();
    for depth in 0..3 {
        let parent = CommentFacts { depth, ..comment(&here) };
        assert_eq!(comment_on(&here, Some(&parent), 3), Ok(()), "below depth {depth}");
    }
    let refusal =
        comment_on(&here, Some(&CommentFacts { depth: 3, ..comment(&here) }), 3).expect_err("a fourth");
    assert_eq!((refusal.code, refusal.field.as_deref()), (Code::LimitExceeded, Some("parent_id")));

    for parent in comments() {
        let expected = (!should_see_comment(&parent)).then_some(Code::NotFound);
        assert_eq!(code(comment_on(&parent.post, Some(&parent), 3)), expected, "{parent:?}");
    }
    let elsewhere = PostFacts { id: PostId::from_bytes([9; 16]), ..post() };
    let foreign = comment(&elsewhere);
    assert_eq!(comment_on(&here, Some(&foreign), 3), Err(StoreError::NotFound("comment").into()));
}

#[test]
fn posting_takes_membership() {
    let community = |role| CommunityFacts { id: CommunityId::from_bytes([2; 16]), depth: 0, role };
    assert_eq!(code(post_into(&community(None))), Some(Code::Forbidden));
    assert_eq!(post_into(&community(Some(CommunityRole::Member))), Ok(()));
    assert_eq!(post_into(&community(Some(CommunityRole::Moderator))), Ok(()));
}

#[test]
fn communities_nest_eight_levels() {
    let parent = |depth| CommunityFacts { id: CommunityId::from_bytes([2; 16]), depth, role: None };
    for depth in 0..7 {
        assert_eq!(nest_in(&parent(depth), 8), Ok(()), "level {}", depth + 2);
    }
    for depth in [7, 8, u8::MAX] {
        let refusal = nest_in(&parent(depth), 8).expect_err("a ninth level");
        assert_eq!((refusal.code, refusal.field.as_deref()), (Code::LimitExceeded, Some("parent_id")));
    }
}

#[test]
fn nobody_follows_across_a_block_but_anybody_ceases_to() {
    for relation in relations() {
        let expected = relation.blocked.then_some(Code::Forbidden);
        assert_eq!(code(follow(&PairFacts { relation }, true)), expected, "{relation:?}");
        assert_eq!(follow(&PairFacts { relation }, false), Ok(()), "{relation:?}");
    }
}

#[test]
fn an_author_channel_is_for_followers_and_the_person() {
    for relation in relations() {
        let may = relation.is_self || (relation.follows && !relation.blocked);
        assert_eq!(code(read_author_channel(relation)), (!may).then_some(Code::NotFound), "{relation:?}");
    }
}

#[test]
fn figures_are_for_the_author() {
    for post in posts() {
        let expected = (!post.relation.is_self).then_some(Code::NotFound);
        assert_eq!(code(read_analytics(&post)), expected, "{post:?}");
    }
}
