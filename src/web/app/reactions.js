// The row of reactions under a post or a comment: "like" is always there, other kinds appear when somebody chose them,
// and the tray offers all six. What a person wishes shows at once; the server's answer and states correct it.

import { h, icon } from './dom.js';
import { labelled, number, t } from './i18n.js';
import { REACTIONS, withReaction } from './model.js';
import { complain } from './toasts.js';

export class ReactionBar {
  element;
  #site;
  #target;
  #store;
  #chips = new Map();
  #tray;
  #opener;
  #sending = false;
  /** What the server has last confirmed as one's own. */
  #confirmed = null;
  #wish = null;

  /**
   * `target` is `{post_id}` or `{comment_id}`; `store.read()` gives `{reactions, mine}`, `store.write({reactions?, mine})`
   * keeps them and leads to `update`.
   */
  constructor(site, target, store) {
    this.#site = site;
    this.#target = target;
    this.#store = store;
    for (const kind of REACTIONS) this.#chips.set(kind, this.#chip(kind));
    this.#tray = h('div', { class: 'reaction-tray', role: 'group', 'aria-label': t('reaction.add'), hidden: true },
      REACTIONS.map((kind) => h('button', {
        class: 'reaction-choice', type: 'button', title: t(`reaction.${kind}`), testid: `react-${kind}`,
        onclick: () => {
          this.#toggleTray(false);
          this.#opener.focus({ preventScroll: true });
          this.#choose(kind);
        },
      }, icon(`face-${kind}`, t(`reaction.${kind}`)))));
    this.#opener = h('button', {
      class: 'chip chip-quiet', type: 'button', 'aria-label': t('reaction.add'), title: t('reaction.add'), 'aria-expanded': 'false', testid: 'react-open',
      onclick: () => this.#toggleTray(this.#tray.hidden),
    }, icon('react'));
    this.element = h('div', { class: 'reactions' }, [...this.#chips.values()].map(({ button }) => button), this.#opener, this.#tray);
    this.#tray.addEventListener('keydown', (event) => this.#move(event));
    this.element.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || this.#tray.hidden) return;
      this.#toggleTray(false);
      this.#opener.focus();
    });
    this.element.addEventListener('focusout', ({ relatedTarget }) => {
      if (relatedTarget && !this.element.contains(relatedTarget)) this.#toggleTray(false);
    });
    this.#confirmed = store.read().mine ?? null;
    this.update();
  }

  /** Shows what the store says now. */
  update() {
    const { reactions, mine } = this.#store.read();
    if (!this.#sending) this.#confirmed = mine ?? null;
    for (const [kind, { button, count }] of this.#chips) {
      const value = reactions[kind] ?? 0;
      button.hidden = value === 0 && kind !== 'like';
      button.setAttribute('aria-pressed', String(mine === kind));
      button.setAttribute('aria-label', labelled(t(`reaction.${kind}`), number(value)));
      count.textContent = value === 0 ? '' : number(value);
      count.dataset.count = value;
    }
  }

  #chip(kind) {
    const count = h('span', { class: 'chip-count', testid: `reaction-count-${kind}` });
    const button = h('button', { class: 'chip', type: 'button', title: t(`reaction.${kind}`), testid: `reaction-${kind}`, onclick: () => this.#choose(kind) },
      icon(`face-${kind}`), count);
    return { button, count };
  }

  #toggleTray(open) {
    this.#tray.hidden = !open;
    this.#opener.setAttribute('aria-expanded', String(open));
    removeEventListener('pointerdown', this.#pressedElsewhere);
    if (!open) return;
    addEventListener('pointerdown', this.#pressedElsewhere);
    this.#tray.querySelector('button').focus();
  }

  /** Arrows go round among the choices; Tab goes on as everywhere. */
  #move(event) {
    const choices = [...this.#tray.children];
    const at = choices.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: -1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    choices.at(to % choices.length).focus();
  }

  #pressedElsewhere = ({ target }) => {
    if (!this.element.contains(target)) this.#toggleTray(false);
  };

  #choose(kind) {
    if (!this.#site.loggedIn()) return;
    const { reactions, mine } = this.#store.read();
    this.#wish = mine === kind ? null : kind;
    this.#store.write({ reactions: withReaction(reactions, mine, this.#wish), mine: this.#wish });
    if (!this.#sending) this.#send();
  }

  /** One command at a time; presses meanwhile only change the wish. */
  async #send() {
    this.#sending = true;
    try {
      do {
        const wish = this.#wish;
        const reply = await this.#site.connection.ask('reaction.set', { ...this.#target, kind: wish });
        this.#confirmed = reply.kind ?? null;
        if (this.#wish === wish) this.#store.write({ reactions: reply.counts, mine: this.#confirmed });
      } while (this.#wish !== this.#confirmed);
    } catch (error) {
      const { reactions, mine } = this.#store.read();
      this.#store.write({ reactions: withReaction(reactions, mine, this.#confirmed), mine: this.#confirmed });
      complain(error);
    } finally {
      this.#sending = false;
    }
  }
}
