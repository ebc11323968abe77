// The page of CommuniConnect: puts its parts together, and says which view an address means.
//
// Addresses: `#/` home, `#/communities`, `#/c/ID` a community, `#/p/ID` a post, `#/u/ID` a person, `#/notifications`,
// `#/live` the lives that run, `#/live/start` (and `#/live/start/COMMUNITY`) going live, `#/l/ID` a live.
// Later parts add a view class and a row in `VIEWS`; their commands go through
// `site.connection.ask`, their channels through `site.connection.follow`.
//
// --- What an automated test may press and read (`data-testid`; these names are kept stable) --------------------------
// Frame       connection-state (data-state: connecting | online | unanswered | reconnecting | offline | closed), connection-banner,
//             connection-try, connection-reload, nav-home, nav-communities, nav-notifications, nav-me, unread-badge (data-count),
//             me (data-user-id), me-name, logout, login-open, register-open, theme-switch (data-theme),
//             language-switch, tree-item (data-community-id), rail-community-create, content, gone
// Account     auth-dialog: register-form with register-name, register-username, register-email, register-password,
//             register-submit; login-form with login-username (or e-mail), login-password, login-submit;
//             auth-to-login, auth-to-register; guests also see welcome-register, welcome-login; login-forgotten (the server does
//             not know this login any more) with forgotten-login, forgotten-register, forgotten-dismiss
// Communities community-create (on #/communities), community-create-inside (on a community), community-dialog: community-form with
//             community-name, community-parent, community-submit; community-item (data-community-id),
//             community-since (where another beside it bears the same name), community-item-join, communities-empty, community-title, community-members, community-role, community-child,
//             community-join (data-member: true | false; the same button leaves)
// Composer    composer with composer-content (focus unfolds the rest), composer-title, composer-community (home only),
//             composer-kind, composer-visibility, composer-anonymous, composer-submit; composer-picture (opens composer-file), then
//             composer-pictures with composer-attachment: composer-alt, composer-progress, composer-picture-remove
// Feed        feed (aria-busy), feed-new ("N new posts" above, leads to the top), feed-more, filter-all, filter-<kind>;
//             feed-empty with feed-show-all, home-communities, home-community-create; feed-failed with feed-again
// Post        post-card (data-post-id, data-pending, data-kind, data-version) with post-title, post-content, post-author,
//             post-community, post-kind, post-visibility, post-edited, post-state, view-count and comment-count
//             (data-count), post-comments, post-menu, then post-edit, post-delete, post-link, post-block;
//             post-pictures with post-picture (data-media-id) and post-picture-image, then picture-dialog with picture-whole; post-video (data-media-id);
//             edit-dialog with edit-title, edit-content, edit-kind, edit-save, edit-newer; back
// Reactions   in a post-card or comment: reaction-like (always there) and reaction-<kind> where somebody chose it, both with
//             aria-pressed; react-open unfolds react-<kind> for all six; reaction-count-<kind> (data-count)
// Figures     post-figures (to be unfolded, on the page of one's own post): figures-views, figures-unique, figures-reactions, figures-comments,
//             figures-shares, figures-elsewhere, figures-rate, figures-label (data-value each); figures-platforms, figures-bars
// Sharing     in a post-card: share-open (aria-pressed) with share-count (data-count), then share-dialog with share-toggle (aria-pressed),
//             repost-form with repost-comment, repost-submit, or else repost-undo; share-to-<platform> becomes share-link-<platform>,
//             a link; share-to-copy_link; share-item (data-user-id) in who shared it, share-none, share-more
// Comments    comment-form with comment-content-input, comment-anonymous, comment-submit; comments; comment
//             (data-comment-id, data-depth) with comment-content, comment-author, comment-edited, comment-reply (comment-end where replies go no deeper), then
//             reply-form with reply-content, reply-anonymous, reply-submit; comment-menu, then comment-edit,
//             comment-delete; comment-edit-form with comment-edit-content, comment-edit-save; comment-pending,
//             comments-more, comments-empty, comments-failed with comments-again, replies-more; guests see comment-login
// People      profile, profile-name, follow (aria-pressed), block (aria-pressed), profile-logout, profile-photo (opens profile-photo-file), profile-photo-remove
// Notices     notifications, notification (data-unread, data-kind) with notification-excerpt, notifications-read-all, notifications-more,
//             notifications-empty
// Live        nav-live, on-air (shown while this page sends), go-live, live-list and live-list-soon with live-item (data-live-id), live-list-empty,
//             live-list-more; community-go-live; in a post-card live-open (data-live-id, data-state); live-badge (data-state),
//             live-viewers (data-count), live-duration
// Going live  live-source-camera, live-source-screen, live-source-test (aria-pressed), live-preview, live-camera, live-microphone,
//             live-meter, live-checks with live-check (data-key) or live-check-ok, live-check-again, live-check-communities; live-form with live-title, live-community,
//             live-visibility, live-more, then live-description, live-height, live-codec; live-go (data-ready); live-running
// Encoders    live-encoder with live-key-rotate, live-key-card (live-key-address, live-key, live-key-ffmpeg, each with -copy),
//             live-defaults with live-default-title, live-default-community, live-default-visibility, live-defaults-save;
//             in a cockpit cockpit-encoder
// Cockpit     cockpit (data-live-id, data-state, data-here, data-phase, data-sent-frames, data-sent-bytes), live-own-video,
//             cockpit-note (data-key) with cockpit-mend, cockpit-mute and cockpit-camera (aria-pressed), cockpit-switch, cockpit-take,
//             cockpit-stop; source-dialog with source-use; cockpit-figures with figure-current, figure-peak, figure-unique,
//             figure-joins, figure-chat, figure-reactions, figure-bitrate, figure-picture (data-value); cockpit-health (data-level);
//             figure-join; cockpit-viewers-open with cockpit-viewers-state (data-troubled) and cockpit-viewers (rows with data-user-id);
//             afterwards live-past with report-end (data-reason) and live-report: report-duration, report-unique, report-peak, report-bitrate and so on (data-value), report-curve, report-again
// Watching    live-watch (data-live-id, data-state), live-title-shown, live-player (data-phase, data-state, data-frames, data-connections:
//             peer connections so far, data-width, data-height, data-layer, data-first-frame-ms), live-video, live-note, live-unmute,
//             live-quality, live-pip, live-fullscreen; live-react-<kind>, live-reaction-total (data-count); live-people-open, then
//             live-people-dialog with live-people-count (data-count), live-people, live-person (data-user-id), live-ban, live-people-more, live-banned-more,
//             live-banned-person (data-user-id) with live-unban; live-over (data-reason)
//             with live-again, live-there (the same live at the node that carries it), live-to-list; live-reload
// Chat        chat with chat-message (data-message-id, data-user-id) and chat-content, chat-pending; chat-form with chat-input,
//             chat-send; chat-menu, then chat-reply, chat-delete, chat-ban; chat-slow-mode, chat-slow (data-seconds), chat-more,
//             guests see chat-login
// Everywhere  confirm-dialog with confirm-yes, confirm-no; dialog-close; form-error and field-error; announcer; toasts with toast-done, toast-error, toast-action, toast-dismiss

import { Account } from './account.js';
import { openAuth } from './authdialog.js';
import { Communities } from './communities.js';
import { Connection } from './connection.js';
import { confirmed } from './dialogs.js';
import { calm, fill, refreshTimes } from './dom.js';
import { setLanguage, t } from './i18n.js';
import { Lives } from './live/lives.js';
import { OnAir } from './live/onair.js';
import { StudioView } from './live/studio.js';
import { LiveListView, LiveView } from './live/views.js';
import { nameOf } from './model.js';
import { Notices, NoticesView } from './notices.js';
import { Posts } from './posts.js';
import { Shell } from './shell.js';
import { Signal } from './signal.js';
import { complain, toast } from './toasts.js';
import { ViewCounter } from './viewcount.js';
import { CommunitiesView, CommunityView, HomeView, PostView, ProfileView, WelcomeView, gone } from './views.js';

/** Feeds kept alive behind the view that is shown. */
const KEPT_VIEWS = 3;

const VIEWS = [
  { pattern: /^#?\/?$/, name: 'home', build: (site) => (site.me ? new HomeView(site) : new WelcomeView(site)) },
  { pattern: /^#\/communities$/, name: 'communities', build: (site) => new CommunitiesView(site) },
  { pattern: /^#\/notifications$/, name: 'notifications', build: (site) => (site.me ? new NoticesView(site) : new WelcomeView(site)) },
  { pattern: /^#\/c\/([\w-]+)$/, name: 'community', build: (site, id) => new CommunityView(site, id) },
  { pattern: /^#\/p\/([\w-]+)$/, name: 'post', build: (site, id) => new PostView(site, id) },
  { pattern: /^#\/live$/, name: 'live', build: (site) => new LiveListView(site) },
  { pattern: /^#\/live\/start(?:\/([\w-]+))?$/, name: 'live', build: (site, id) => (site.me ? new StudioView(site, id) : new WelcomeView(site)) },
  { pattern: /^#\/l\/([\w-]+)$/, name: 'live', build: (site, id) => new LiveView(site, id) },
  { pattern: /^#\/u\/([\w-]+)$/, name: 'user', build: (site, id) => new ProfileView(site, id) },
];

/** Everything that the views share, for as long as the same person looks at the page in the same language. */
class Site {
  account = new Account();
  connection = new Connection(this.account);
  onAir = new OnAir(this.connection);
  me = null;
  /** Who was logged in until the server did not know their login any more; null once somebody has read it, or logged in. */
  forgotten = null;
  posts;
  communities;
  lives;
  /** Emits `{liveId, person, on}` when somebody was taken out of a live, or let back in. */
  banned;
  notices;
  views;
  #shell;
  /** hash -> {name, view, scroll}; the last is the one shown */
  #kept = new Map();
  #moves = 0;

  start() {
    this.account.changed.listen((reason) => this.#becameAnother(reason));
    addEventListener('hashchange', () => {
      this.#moves += 1;
      this.#route();
    });
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.communities.exploreIfLongAgo().catch(() => {}));
    this.connection.welcomed.listen(({ user }) => {
      if (user?.id !== this.me?.id || !user) return;
      this.me.photo = user.photo;
      this.account.learn(user);
    });
    setInterval(() => refreshTimes(), 30_000);
    this.connection.start();
    this.#build();
  }

  /** True if somebody is logged in; otherwise offers to. */
  loggedIn() {
    if (!this.me) openAuth(this.account, 'login');
    return this.me !== null;
  }

  /**
   * Whether one may remove what others wrote in a community, by what the server says of one now: what was kept with the
   * login is as old as that.
   */
  moderates(communityId) {
    const staff = this.connection.role === 'moderator' || this.connection.role === 'admin';
    return staff || this.communities.get(communityId)?.my?.role === 'moderator';
  }

  /** Whether one keeps order in a live. */
  keepsOrderIn(live) {
    return this.me !== null && (live.owner.id === this.me.id || this.moderates(live.community_id));
  }

  async setMember(community, member) {
    try {
      await this.communities.setMember(community.id, member);
      if (member) toast(t('community.joined', { name: community.name }));
      this.forgetViews();
    } catch (error) {
      complain(error);
    }
  }

  /** Blocks or unblocks somebody, after asking; true if it was done. */
  async block(person, on) {
    const name = nameOf(person);
    if (on && !(await confirmed(t('profile.block.sure', { name }), t('profile.block')))) return false;
    try {
      await this.connection.ask('block.set', { user_id: person.id, on });
      if (on) for (const id of this.posts.ids()) if (this.posts.get(id)?.author?.id === person.id) this.posts.remove(id);
      // What a kept feed left out while the two were apart, it would go on leaving out.
      this.forgetViews();
      return true;
    } catch (error) {
      complain(error);
      return false;
    }
  }

  /** Goes where one came from, or to `otherwise` if this is the first address. */
  back(otherwise) {
    if (this.#moves > 0) history.back();
    else location.hash = otherwise;
  }

  /** Changes the language and builds everything anew in it. */
  speak(language) {
    setLanguage(language);
    this.#rebuild();
    document.querySelector('[data-testid=language-switch]')?.focus();
  }

  /** Kept feeds that are not shown are built anew when they are next looked at. */
  forgetViews() {
    const shown = [...this.#kept.keys()].at(-1);
    for (const [hash, kept] of this.#kept) {
      if (hash === shown) continue;
      kept.view.destroy?.();
      this.#kept.delete(hash);
    }
  }

  #build() {
    this.me = this.account.user;
    this.posts = new Posts(this.me?.id ?? null);
    this.communities = new Communities(this.connection);
    this.communities.follow(complain);
    this.lives = new Lives(this.connection);
    this.banned = new Signal();
    this.views = new ViewCounter(this.connection);
    this.notices = this.me && new Notices(this.connection, this.me);
    this.#shell = new Shell(this);
    document.getElementById('app').append(this.#shell.element);
    this.#route();
  }

  #rebuild() {
    for (const { view } of this.#kept.values()) view.destroy?.();
    this.#kept.clear();
    this.#shell.destroy();
    this.connection.restart();
    this.#build();
  }

  #becameAnother(reason) {
    this.onAir.leave();
    this.forgotten = reason === 'expired' ? this.me : null;
    this.#rebuild();
    if (reason === 'elsewhere' && !this.me) toast(t('auth.ended'), 'error');
    if (reason === 'login') {
      toast(t('auth.hello', { name: nameOf(this.me) }));
      setTimeout(() => this.#focusHeading()); // once the dialog is closed: behind it nothing takes the focus
    }
  }

  /** What had the focus is gone with the page of the guest. */
  #focusHeading() {
    if (document.activeElement && document.activeElement !== document.body) return;
    const heading = this.#shell.main.querySelector('h1') ?? this.#shell.main;
    heading.setAttribute('tabindex', '-1');
    heading.focus({ preventScroll: true });
  }

  #route() {
    const hash = location.hash || '#/';
    const previous = [...this.#kept.entries()].at(-1);
    if (previous?.[0] === hash) return;
    if (previous) this.#hide(...previous);
    const row = VIEWS.find(({ pattern }) => pattern.test(hash));
    const id = row?.pattern.exec(hash)[1];
    const kept = this.#kept.get(hash) ?? { name: row?.name ?? 'nowhere', view: row ? row.build(this, id) : { element: gone(), title: '' }, scroll: 0 };
    this.#kept.delete(hash);
    this.#kept.set(hash, kept);
    for (const old of [...this.#kept.keys()].slice(0, -1 - KEPT_VIEWS)) {
      this.#kept.get(old).view.destroy?.();
      this.#kept.delete(old);
    }
    fill(this.#shell.main, kept.view.element);
    kept.view.enter?.();
    this.#shell.at({ name: kept.name, id });
    this.entitle();
    scrollTo({ top: kept.scroll, behavior: 'instant' });
    if (previous) this.#shell.main.focus({ preventScroll: true });
    if (!calm()) this.#shell.main.animate([{ opacity: 0.4 }, { opacity: 1 }], 160);
  }

  /** A view has learnt what it is called, or another is shown. */
  entitle() {
    const title = [...this.#kept.values()].at(-1)?.view.title;
    document.title = title ? `${title} · CommuniConnect` : 'CommuniConnect';
  }

  #hide(hash, kept) {
    kept.scroll = scrollY;
    kept.view.leave?.();
    if (kept.view.keep) return;
    kept.view.destroy?.();
    this.#kept.delete(hash);
  }
}

new Site().start();
