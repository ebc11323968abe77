// The chat of a live: everybody sees one order of messages, also after the end.

import { newOp } from '../../client.js';
import { avatar } from '../avatar.js';
import { menu } from '../dialogs.js';
import { fill, h, icon, timeTag, written } from '../dom.js';
import { complainIn, errorLine, onSubmit } from '../forms.js';
import { labelled, t } from '../i18n.js';
import { nameOf, oneLine } from '../model.js';
import { announce, complain } from '../toasts.js';
import { banFromLive } from './bans.js';
import { ChatLog } from './chatlog.js';
import { explainLive } from './refusal.js';
import { SLOW_MODES, clockText } from './rules.js';

const PAGE = 60;
const CHARACTERS = 500;
/** Whoever has scrolled further up than this reads, and is not moved. */
const AT_END_PX = 60;

export class Chat {
  element;
  #site;
  #live;
  #log = new ChatLog();
  /** message id -> element; what comes in is announced by itself, so that a page of history is not read aloud */
  #shown = new Map();
  #pending = new Map();
  #list = h('div', { class: 'chat-list', role: 'log', 'aria-live': 'off', tabindex: '0', 'aria-label': t('chat.title'), testid: 'chat' });
  #more;
  #note = h('p', { class: 'chat-note' });
  #head = h('div', { class: 'chat-head' });
  #slow = h('p', { class: 'chat-slow', hidden: true, testid: 'chat-slow' });
  #form = null;
  #input;
  #replying = h('div', { class: 'chat-replying', hidden: true });
  #replyTo = null;
  /** The key of why nobody writes here, once that is so. */
  #shut = null;
  /** What one may do here, as the menus of the messages show it. */
  #rights = '';
  #ends = [];

  constructor(site, live) {
    this.#site = site;
    this.#live = live;
    this.#more = h('button', { class: 'button-plain', type: 'button', hidden: true, testid: 'chat-more', onclick: () => this.#loadOlder() }, t('chat.more'));
    this.#list.append(this.#more);
    this.element = h('section', { class: 'sheet chat', 'aria-label': t('chat.title') }, this.#head, this.#list, this.#note, this.#slow, this.#replying);
    if (live.state !== 'ended') this.element.append(this.#buildForm());
    this.update(live);
    const judge = () => this.update(this.#live);
    this.#ends.push(site.communities.changed.listen(judge), site.connection.welcomed.listen(judge), site.lives.follow(live.id, {
      publication: (item) => this.#take([item], { isNews: true }),
      opened: () => this.#load(),
      reset: () => this.#load(),
      closed: (reason) => (reason === 'forbidden' ? this.shut('chat.banned') : this.#load()),
    }));
    if (live.state === 'ended') this.#load();
  }

  destroy() {
    this.#ends.forEach((end) => end());
  }

  /** The live has changed. */
  update(live) {
    const wasOver = this.#live.state === 'ended';
    this.#live = live;
    const seconds = live.slow_seconds ?? 0;
    this.#slow.hidden = seconds === 0 || live.state === 'ended';
    this.#slow.textContent = t('chat.slow', { count: seconds });
    this.#slow.dataset.seconds = seconds;
    const shown = `${this.#moderates} ${seconds} ${live.state === 'ended'}`;
    if (this.#head.dataset.shown !== shown) {
      this.#head.dataset.shown = shown;
      this.#showHead(seconds);
    }
    if (live.state === 'ended' && !wasOver) {
      this.#form?.remove();
      this.#form = null;
      this.#replying.hidden = true;
    }
    this.#showMenus();
    this.#say();
  }

  get #moderates() {
    return this.#site.keepsOrderIn(this.#live);
  }

  /** Gives the messages that stand here the menus of what one may do now. */
  #showMenus() {
    const rights = `${this.#moderates} ${this.#form !== null}`;
    if (this.#rights === rights) return;
    this.#rights = rights;
    for (const { message } of this.#log.entries()) {
      const element = this.#shown.get(message.id);
      element?.querySelector('details.menu')?.remove();
      element?.append(...this.#menu(message));
    }
  }

  #showHead(seconds) {
    const choice = this.#moderates && this.#live.state !== 'ended' && h('label', { class: 'chat-slow-choice' }, h('span', {}, t('chat.slow.label')),
      h('select', { testid: 'chat-slow-mode', onchange: ({ target }) => this.#slowDown(Number(target.value)) },
        SLOW_MODES.map((each) => h('option', { value: each, selected: each === seconds }, each === 0 ? t('chat.slow.off') : t('seconds', { count: each })))));
    fill(this.#head, h('h2', { class: 'section-title' }, t(this.#live.state === 'ended' ? 'chat.title.ended' : 'chat.title')), choice);
  }

  #say() {
    const isOver = this.#live.state === 'ended';
    const shut = isOver ? null : this.#shut;
    this.#note.classList.toggle('chat-shut', shut !== null);
    this.#note.hidden = !shut && (this.#log.size > 0 || this.#pending.size > 0);
    this.#note.textContent = t(shut ?? (isOver ? 'chat.none.ended' : 'chat.none'));
  }

  /** Nobody writes here any more; `key` says why. What was under way is not taken. */
  shut(key) {
    this.#shut = key;
    this.#form?.remove();
    this.#form = null;
    this.#replying.hidden = true;
    for (const copy of this.#pending.values()) copy.remove();
    this.#pending.clear();
    this.#showMenus();
    this.#say();
  }

  // --- messages ---------------------------------------------------------------------------------------------------

  async #load() {
    await this.#loadPage({});
  }

  async #loadOlder() {
    const before = this.#log.oldest();
    await this.#loadPage(before === null ? {} : { before });
  }

  async #loadPage(body) {
    try {
      const { publications, more } = await this.#site.connection.ask('history', { channel: `live:${this.#live.id}`, limit: PAGE, ...body });
      this.#take(publications.filter((item) => !item.skip));
      this.#more.hidden = !more || this.#log.size === 0;
    } catch (error) {
      if (error.code === 'forbidden') this.shut('chat.banned');
      else if (error.code !== 'cancelled' && error.code !== 'not_found') complain(error);
    }
  }

  #take(publications, { isNews = false } = {}) {
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < AT_END_PX;
    const { added, removed } = this.#log.take(publications);
    for (const { offset, message } of added) this.#place(offset, message);
    for (const id of removed) {
      this.#shown.get(id)?.remove();
      this.#shown.delete(id);
    }
    if (isNews) for (const { message } of added) if (message.user.id !== this.#site.me?.id) announce(t('chat.arrived', { name: nameOf(message.user), text: oneLine(message.content) }));
    if (added.length > 0 && atEnd) this.#toEnd();
    this.#say();
  }

  #place(offset, message) {
    this.#pending.get(message.op)?.remove();
    this.#pending.delete(message.op);
    const element = this.#build(message);
    element.dataset.offset = offset;
    this.#shown.set(message.id, element);
    const next = [...this.#list.children].find((other) => other.dataset.pending || Number(other.dataset.offset) > offset);
    this.#list.insertBefore(element, next ?? null);
  }

  #build(message) {
    const { user, content, reply_to: replyTo, stream_ms: streamMs } = message;
    const answered = replyTo && this.#log.find(replyTo);
    const isOwner = user.id === this.#live.owner.id;
    return h('article', { class: 'chat-message', testid: 'chat-message', 'data-message-id': message.id, 'data-user-id': user.id },
      avatar(user, 's'),
      h('div', { class: 'chat-main' },
        answered && h('p', { class: 'chat-answered', dir: 'auto' }, icon('reply'), labelled(nameOf(answered.user), oneLine(answered.content))),
        h('p', { class: 'chat-line', dir: 'auto' },
          h('a', { class: 'chat-author', href: `#/u/${user.id}` }, nameOf(user)), isOwner && h('span', { class: 'badge-soft' }, t('chat.owner')), ' ',
          h('span', { class: 'chat-content', testid: 'chat-content' }, written(content))),
        h('span', { class: 'chat-when' }, streamMs === undefined ? timeTag(message.at) : clockText(streamMs))),
      this.#menu(message));
  }

  /** The menu of a message in a list; an empty one where there is nothing that one may do. */
  #menu(message) {
    if (!this.#site.me) return [];
    const { id, user } = message;
    const mine = user.id === this.#site.me.id;
    const items = [];
    if (this.#form) items.push({ text: t('comment.reply'), symbol: 'reply', testid: 'chat-reply', run: () => this.#reply(message) });
    if (mine || this.#moderates) items.push({ text: t('post.delete'), symbol: 'trash', testid: 'chat-delete', danger: true, run: () => this.#delete(id) });
    if (this.#moderates && !mine && user.id !== this.#live.owner.id) items.push({ text: t('live.ban'), symbol: 'block', testid: 'chat-ban', danger: true, run: () => banFromLive(this.#site, this.#live, user) });
    return items.length > 0 ? [menu({ label: t('post.menu'), testid: 'chat-menu', items })] : [];
  }

  async #delete(id) {
    try {
      await this.#site.connection.ask('chat.delete', { message_id: id });
      this.#take([{ event: 'chat.deleted', data: { message_id: id } }]);
    } catch (error) {
      if (error.code === 'not_found') this.#take([{ event: 'chat.deleted', data: { message_id: id } }]);
      else complain(error);
    }
  }

  async #slowDown(seconds) {
    try {
      await this.#site.connection.ask('chat.slow_mode', { live_id: this.#live.id, seconds });
    } catch (error) {
      complain(error);
      this.#head.dataset.shown = '';
      this.update(this.#live);
    }
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  // --- writing ----------------------------------------------------------------------------------------------------

  #buildForm() {
    if (!this.#site.me) {
      this.#form = h('div', { class: 'chat-form' }, h('button', { class: 'button button-wide', type: 'button', testid: 'chat-login', onclick: () => this.#site.loggedIn() }, t('chat.login')));
      return this.#form;
    }
    this.#input = h('input', { name: 'content', autocomplete: 'off', maxlength: CHARACTERS, placeholder: t('chat.write'), 'aria-label': t('chat.write'), enterkeyhint: 'send', testid: 'chat-input' });
    const form = h('form', { class: 'chat-form', novalidate: true, testid: 'chat-form' }, errorLine(),
      h('div', { class: 'chat-write' }, this.#input, h('button', { class: 'icon-button chat-send', 'aria-label': t('chat.send'), title: t('chat.send'), testid: 'chat-send' }, icon('send'))));
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#reply(null);
    });
    this.#form = onSubmit(form, async () => this.#send());
    return this.#form;
  }

  #send() {
    const content = this.#input.value.trim();
    if (!content) return;
    const body = { op: newOp(), live_id: this.#live.id, content, ...(this.#replyTo && { reply_to: this.#replyTo.id }) };
    const form = this.#form;
    this.#input.value = '';
    this.#reply(null);
    this.#showPending(body);
    // Not awaited: the next line is written meanwhile.
    this.#site.connection.ask('chat.send', body).then(
      ({ message, position }) => this.#take([{ offset: position.offset, event: 'chat.message', data: message }]),
      (error) => {
        this.#pending.get(body.op)?.remove();
        this.#pending.delete(body.op);
        if (!this.#input.value) this.#input.value = content;
        complainIn(form, error, error.code === 'forbidden' ? t('chat.banned') : explainLive(error));
        this.#say();
      },
    );
  }

  #showPending({ op, content }) {
    const { me } = this.#site;
    const copy = h('article', { class: 'chat-message post-pending', testid: 'chat-pending', 'data-pending': 'true' }, avatar(me, 's'),
      h('div', { class: 'chat-main' }, h('p', { class: 'chat-line', dir: 'auto' }, h('span', { class: 'chat-author' }, nameOf(me)), ' ', h('span', { class: 'chat-content' }, content))));
    this.#pending.set(op, copy);
    this.#list.append(copy);
    this.#toEnd();
    this.#say();
  }

  #reply(message) {
    this.#replyTo = message;
    this.#replying.hidden = message === null;
    if (!message) return;
    fill(this.#replying, icon('reply'), h('span', { dir: 'auto' }, t('comment.reply.to', { name: nameOf(message.user) })),
      h('button', { class: 'icon-button', type: 'button', 'aria-label': t('dialog.cancel'), onclick: () => this.#reply(null) }, icon('close')));
    this.#input.focus();
  }
}
