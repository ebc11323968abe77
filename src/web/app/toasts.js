// Short messages that come and go, and what an error says to the person who met it.

import { h, icon } from './dom.js';
import { t } from './i18n.js';

const SHOWN_MS = 6_000;
/** What is left at least when pointer and focus have gone. */
const LINGERS_MS = 3_000;
const AT_ONCE = 3;
const ANNOUNCE_MS = 800;

/** The messages that are shown, the oldest first. */
const shown = [];
let messages = null;

/**
 * Brings the messages to where they can be seen and pressed: all that lies outside the topmost dialog is below it and
 * inert, so they go into it. Whoever opens or closes a dialog calls this, before the dialog is removed.
 */
export function placeToasts() {
  messages ??= document.getElementById('toasts');
  const place = [...document.querySelectorAll('dialog:modal')].at(-1) ?? document.body;
  if (messages.parentElement !== place) place.append(messages);
  // Shown above the dialog, not within its bounds.
  if (!messages.matches(':popover-open')) messages.showPopover();
}

/**
 * Shows a message for a while; `action` is `{text, run}` of a button in it. It stays as long as the pointer is on it or the
 * focus in it. `dismiss()` takes it away; `gone` is a promise of when it is, however that came.
 */
export function toast(text, kind = 'done', action = null) {
  while (shown.length >= AT_ONCE) (shown.find((one) => !one.isKept) ?? shown[0]).dismiss();
  const message = new Message(text, kind, action);
  shown.push(message);
  return message;
}

class Message {
  gone;
  #element;
  #timer;
  #endsAt;
  /** What was left when it was first kept. */
  #rest = 0;
  /** What keeps it: `pointer`, `focus`. */
  #kept = new Set();
  /** Where the focus was before it came here. */
  #focused = null;
  #tellGone;

  constructor(text, kind, action) {
    this.gone = new Promise((resolve) => (this.#tellGone = resolve));
    this.#element = h('div', { class: `toast toast-${kind}`, testid: `toast-${kind}` },
      h('span', { class: 'toast-text' }, text),
      action && h('button', {
        class: 'toast-action', type: 'button', testid: 'toast-action',
        onclick: () => {
          this.dismiss();
          action.run();
        },
      }, action.text),
      h('button', { class: 'icon-button', type: 'button', 'aria-label': t('toast.dismiss'), testid: 'toast-dismiss', onclick: () => this.dismiss() }, icon('close')));
    this.#element.addEventListener('pointerenter', () => this.#keep('pointer'));
    this.#element.addEventListener('pointerleave', () => this.#letGo('pointer'));
    this.#element.addEventListener('focusin', ({ relatedTarget }) => {
      if (!this.#element.contains(relatedTarget)) this.#focused = relatedTarget;
      this.#keep('focus');
    });
    this.#element.addEventListener('focusout', () => this.#letGo('focus'));
    placeToasts();
    messages.append(this.#element);
    this.#endAfter(SHOWN_MS);
  }

  get isKept() {
    return this.#kept.size > 0;
  }

  dismiss() {
    clearTimeout(this.#timer);
    const place = shown.indexOf(this);
    if (place < 0) return;
    shown.splice(place, 1);
    const hadFocus = this.#element.contains(document.activeElement);
    this.#element.remove();
    if (hadFocus && this.#focused?.isConnected) this.#focused.focus();
    this.#tellGone();
  }

  #keep(by) {
    if (!this.isKept) this.#rest = this.#endsAt - performance.now();
    this.#kept.add(by);
    clearTimeout(this.#timer);
  }

  #letGo(by) {
    this.#kept.delete(by);
    if (!this.isKept) this.#endAfter(Math.max(this.#rest, LINGERS_MS));
  }

  #endAfter(ms) {
    clearTimeout(this.#timer);
    this.#endsAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.dismiss(), ms);
  }
}

/**
 * Says to a screen reader what others see happen. What comes within a moment is said once, the last of it, so that a
 * lively place does not talk without end.
 */
export function announce(text) {
  toAnnounce = text;
  if (announcing) return;
  const announcer = document.getElementById('announcer');
  announcer.textContent = ''; // the same words twice would be no change
  announcing = setTimeout(() => {
    announcing = null;
    announcer.textContent = toAnnounce;
  }, ANNOUNCE_MS);
}

let toAnnounce = '';
let announcing = null;

/** An error in words that say what to do. */
export function explain(error) {
  const code = error.code ?? (error instanceof TypeError ? 'offline' : 'other');
  if (['offline', 'timeout', 'disconnected', 'cancelled', 'busy'].includes(code)) return t('error.offline');
  if (code === 'internal') return t('error.unavailable');
  if (code === 'rate_limited') return t('error.rate_limited', { count: Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000)) });
  const known = t(`error.${code}`, { message: error.message });
  return known === `error.${code}` ? t('error.other', { code }) : known;
}

/** Shows an error that has no better place. */
export function complain(error) {
  if (error.code === 'cancelled') return;
  toast(explain(error), 'error');
}
