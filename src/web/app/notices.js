// Notifications: the number of unread ones, pushed live, and the list.

import { avatar } from './avatar.js';
import { fill, h, icon, timeTag } from './dom.js';
import { t } from './i18n.js';
import { isolated, nameOf, oneLine } from './model.js';
import { Signal } from './signal.js';
import { complain, explain } from './toasts.js';

/** Milliseconds between two looks at the count by who walks about: nobody tells when a notification goes with what it told of. */
const LOOK_LEAST_MS = 20_000;

/** The unread count and the news, kept for as long as somebody is logged in. */
export class Notices {
  /** Emits the number of unread notifications, and the notification that came, if one did. */
  changed = new Signal();
  unread = 0;
  #connection;
  #looked = 0;

  constructor(connection, me) {
    this.#connection = connection;
    connection.follow(`user:${me.id}`, this);
  }

  publication({ event, data }) {
    if (event === 'notification') this.#count(data.unread, data.notification);
  }

  opened() {
    this.refresh();
  }

  reset() {
    this.refresh();
  }

  /** Looks whether what is counted is still there, at times. */
  look() {
    if (this.unread > 0 && Date.now() - this.#looked > LOOK_LEAST_MS) this.refresh();
  }

  async refresh() {
    this.#looked = Date.now();
    const { unread } = await this.#connection.ask('notification.list', { unread: true }).catch(() => ({ unread: this.unread }));
    this.#count(unread);
  }

  async list(cursor) {
    const page = await this.#connection.ask('notification.list', { ...(cursor && { cursor }) });
    this.#count(page.unread);
    return page;
  }

  async read(body) {
    const { unread } = await this.#connection.ask('notification.read', body);
    this.#count(unread);
  }

  #count(unread, news) {
    this.unread = unread;
    this.changed.emit(unread, news);
  }
}

export class NoticesView {
  title = t('nav.notifications');
  element;
  #notices;
  #items = new Map();
  #list = h('div', { class: 'sheet sheet-flush', testid: 'notifications' });
  #note = h('div', { class: 'feed-note' });
  #more;
  #cursor;
  #end;

  constructor(site) {
    this.#notices = site.notices;
    this.#more = h('button', { class: 'button feed-more', type: 'button', hidden: true, testid: 'notifications-more', onclick: () => this.#load(this.#cursor) }, t('notice.more'));
    this.element = h('div', { class: 'view' },
      h('div', { class: 'view-head' },
        h('h1', { class: 'view-title' }, t('nav.notifications')),
        h('button', { class: 'button', type: 'button', testid: 'notifications-read-all', onclick: () => this.#readAll() }, t('notice.all'))),
      this.#list, this.#note, this.#more);
    this.#end = this.#notices.changed.listen((_, news) => {
      if (!news) return;
      this.#items.get(news.id)?.remove();
      this.#list.prepend(this.#item(news));
      fill(this.#note);
    });
    this.#load();
  }

  destroy() {
    this.#end();
  }

  async #load(cursor) {
    try {
      const page = await this.#notices.list(cursor);
      for (const notice of page.notifications) if (!this.#items.has(notice.id)) this.#list.append(this.#item(notice));
      this.#cursor = page.cursor;
      this.#more.hidden = !page.cursor;
      fill(this.#note, this.#items.size === 0 ? h('div', { class: 'empty-place', testid: 'notifications-empty' }, icon('bell'), h('p', {}, t('notice.none'))) : null);
    } catch (error) {
      if (error.code !== 'cancelled') fill(this.#note, h('p', { class: 'empty' }, explain(error)));
    }
  }

  #item(notice) {
    const target = notice.post_id ? `#/p/${notice.post_id}` : notice.actors[0] ? `#/u/${notice.actors[0].id}` : '#/notifications';
    const item = h('a', {
      class: 'notice', href: target, testid: 'notification', 'data-unread': String(!notice.read_at), 'data-kind': notice.kind,
      onclick: () => {
        if (item.dataset.unread === 'false') return;
        item.dataset.unread = 'false';
        this.#notices.read({ ids: [notice.id] }).catch(complain);
      },
    },
    h('span', { class: 'notice-face' }, avatar(notice.actors[0] ?? null), h('span', { class: 'notice-kind' }, icon(symbolOf(notice)))),
    h('span', { class: 'notice-text' },
      h('span', { class: 'notice-words' }, words(notice)),
      notice.text && h('span', { class: 'notice-excerpt', dir: 'auto', testid: 'notification-excerpt' }, oneLine(notice.text)),
      timeTag(notice.created_at)));
    this.#items.set(notice.id, item);
    return item;
  }

  async #readAll() {
    try {
      await this.#notices.read({ all: true });
      for (const item of this.#items.values()) item.dataset.unread = 'false';
    } catch (error) {
      complain(error);
    }
  }
}

/** What happened, in the reader's language and with the people set off; of a kind that is unknown here only the people. */
function words({ kind, actors, count }) {
  const names = actors.map((actor) => isolated(nameOf(actor))).join(', ') || t('post.someone');
  const others = count - Math.max(1, actors.length);
  const who = h('strong', {}, others > 0 ? t('notice.others', { names, count: others }) : names);
  const key = `notice.${kind}`;
  const [before, after] = t(key, { who: BLANK }).split(BLANK);
  return before === key ? [who] : [before, who, after];
}

/** Stands for the people while the sentence is looked up. */
const BLANK = '\u0001';

function symbolOf({ kind }) {
  if (kind === 'follow') return 'person';
  if (kind.endsWith('reaction')) return 'react';
  if (['share', 'repost', 'external_share'].includes(kind)) return 'send';
  return kind === 'reply' ? 'reply' : kind === 'comment' ? 'comment' : 'bell';
}
