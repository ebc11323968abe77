// Short messages that come and go, and what an error says to the person who met it.

import { h, icon } from './dom.js';
import { t } from './i18n.js';

const SHOWN_MS = 6_000;
const AT_ONCE = 3;
const ANNOUNCE_MS = 800;

/** Shows a message for a while; `action` is `{text, run}` of a button in it. Returns a function that takes it away. */
export function toast(text, kind = 'done', action = null) {
  const tray = document.getElementById('toasts');
  const note = h('div', { class: `toast toast-${kind}`, testid: `toast-${kind}` },
    h('span', { class: 'toast-text' }, text),
    action && h('button', {
      class: 'toast-action', type: 'button', testid: 'toast-action',
      onclick: () => {
        note.remove();
        action.run();
      },
    }, action.text),
    h('button', { class: 'icon-button', type: 'button', 'aria-label': t('toast.dismiss'), onclick: () => note.remove() }, icon('close')));
  while (tray.children.length >= AT_ONCE) tray.firstChild.remove();
  tray.append(note);
  let timer = setTimeout(() => note.remove(), SHOWN_MS);
  note.addEventListener('pointerenter', () => clearTimeout(timer));
  note.addEventListener('pointerleave', () => (timer = setTimeout(() => note.remove(), SHOWN_MS / 2)));
  return () => note.remove();
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
