//! One suite for every store: what the traits promise, told as stories. A backend runs it by [`suite`].

pub(super) mod accounts;
pub(super) mod analytics;
pub(super) mod chat;
pub(super) mod comments;
pub(super) mod communities;
pub(super) mod external_shares;
pub(super) mod lives;
pub(super) mod log;
pub(super) mod media;
pub(super) mod notifications;
pub(super) mod people;
pub(super) mod posts;
pub(super) mod reactions;
pub(super) mod shares;
pub(super) mod workload;
mod world;

pub(super) use chat::say;
pub(super) use lives::on_air;
pub(super) use world::{Backend, Bounds, World, all_ears, no, yes};

/// Makes a test of every story, each in a world of its own that `$world` opens.
macro_rules! suite {
    ($world:path) => {
        $crate::store::conformance::suite! { @stories $world;
            accounts: an_account_is_found_by_either_name names_and_addresses_are_taken_whatever_their_case
                of_many_who_want_one_name_one_gets_it a_person_is_made_at_first_use_and_known_again
                one_subject_of_two_issuers_is_two_people a_name_that_is_taken_gets_a_number
                name_and_role_follow_the_issuer an_older_token_brings_no_news an_id_of_ours_means_that_very_person_and_only_from_us
                a_refresh_token_is_good_once an_old_refresh_token_ends_its_login_and_no_other
                of_two_who_use_a_token_at_once_one_wins_and_the_login_ends logging_out_is_told_once
                a_login_runs_out_unless_it_is_refreshed a_secret_is_made_once_and_kept;
            people: people_come_in_the_order_asked a_profile_shows_its_own_part_to_its_owner_alone
                following_counts_once_and_unfollowing_is_told_to_the_server a_rule_judges_how_the_two_stand
                a_block_takes_the_follows_of_both_with_it a_pair_stays_blocked_until_both_have_let_go
                nobody_blocks_themselves crossing_follows_are_counted_exactly;
            communities: creator_moderates new_ones_are_told_to_everybody_without_a_maker siblings_may_share_a_name
                joining_and_leaving_count_once members_are_told_in_the_feed levels_are_listed_oldest_first a_refused_community_leaves_nothing a_retry_makes_no_second_community;
            posts: a_public_post_goes_to_every_feed_around_it an_anonymous_post_names_nobody
                a_narrow_post_stays_narrow a_retry_answers_the_same_post an_edit_goes_where_the_post_went
                of_two_edits_one_loses a_deleted_post_is_gone_everywhere feeds_are_newest_first_and_stable
                feeds_know_kinds_and_authors the_home_feed_merges_its_sources a_viewer_counts_once_per_window
                views_of_a_crowd_are_counted_exactly counts_come_in_the_order_asked
                facts_tell_how_the_reader_stands;
            comments: a_comment_is_told_and_counted replies_nest_and_count a_parent_must_be_there
                comments_are_listed_in_the_order_they_were_told an_edit_keeps_the_place
                a_removed_comment_takes_its_replies an_anonymous_comment_names_nobody
                a_post_that_goes_takes_its_comments a_retry_adds_no_second_comment;
            reactions: a_like_counts_and_tells_once the_same_again_changes_nothing a_change_of_kind_moves_counts_together
                taking_back_never_goes_below_zero crowds_are_counted_exactly comments_are_reacted_to_as_well
                what_is_gone_cannot_be_reacted_to;
            shares: a_share_is_told_and_counted of_two_shares_at_once_one_is_written a_share_is_taken_back_exactly
                a_post_that_goes_takes_its_shares shares_are_listed_newest_first
                sharers_are_counted_in_one_notification_of_each_kind a_refused_share_leaves_nothing;
            media: media_hang_on_one_post_in_the_order_asked a_post_that_goes_takes_its_media
                a_photo_makes_way_for_the_next_and_is_told
                media_are_removed_by_a_rule_and_forgotten_unless_used;
            external_shares: of_shares_at_once_to_one_platform_one_is_written every_platform_is_counted_apart
                a_person_is_heard_of_once_wherever_they_share_to a_post_that_goes_takes_its_external_shares;
            notifications: authors_hear_of_comments_and_repliers_of_replies nobody_hears_of_themselves_or_twice
                reactions_grow_into_one_notification a_burst_is_published_once_a_second
                a_restart_forgets_no_unpublished_change taking_back_lowers_in_silence preferences_are_honoured
                a_block_ends_hearing_of_each_other reading_lowers_what_is_unread pages_are_newest_first
                a_block_takes_the_other_out_of_the_log a_notification_begun_anew_counts_for_itself
                what_is_deleted_takes_its_notifications inboxes_are_bounded a_follower_is_told_of_once;
            analytics: a_new_post_has_no_days days_tell_what_came_less_what_was_taken_back
                people_are_viewers_once_for_ever_and_guests_once_a_session a_post_that_goes_takes_its_figures;
            log: offsets_have_no_holes pages_go_both_ways trimming_by_count_keeps_the_newest
                trimming_by_age_keeps_the_young a_refused_operation_leaves_no_hole
                an_op_is_answered_again_after_a_restart an_op_with_another_body_is_refused
                views_of_guests_are_swept_after_their_window the_probe_writes_and_reads;
            lives: a_live_begins_with_its_post a_refused_live_leaves_no_trace
                a_person_runs_one_live_and_every_start_makes_a_fresh_key states_are_told_where_the_post_went
                a_live_ends_once_with_its_report
                a_silent_live_gives_way_unless_its_node_has_come_back a_pulse_tells_viewers_and_keeps_the_lease
                a_live_that_nobody_carries_is_ended_by_the_lease_that_was_seen leases_are_told_page_by_page
                running_lives_are_listed_newest_first
                a_deleted_post_takes_its_live_with_it a_lasting_key_is_one_until_it_is_rotated
                defaults_stay_until_they_are_changed;
            chat: messages_are_publications_of_their_live a_message_answers_one_of_the_same_live
                messages_of_a_crowd_have_one_order_and_are_judged_one_by_one
                a_deleted_message_is_gone_from_history a_ban_is_known_to_rules_and_told_to_the_server
                slow_mode_is_a_state old_messages_are_swept_with_the_log;
            workload: every_counter_equals_its_rows;
        }
    };
    (@stories $world:path; $($module:ident: $($story:ident)+;)+) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    $crate::store::conformance::$module::$story($world().await).await;
                }
            )+
        }
    )+};
}
pub(super) use suite;
