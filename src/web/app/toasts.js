// Short messages that come and go, and what an error says to the person who met it.

import { fill, h, icon } from './dom.js';
import { t } from './i18n.js';

const SHOWN_MS = 6_000;
const AT_ONCE = 3;

export function toast(text, kind = 'done') {
  const tray = document.getElementById('toasts');
  const note = h('div', { class: `toast toast-${kind}`, testid: `toast-${kind}` },
    h('span', { class: 'toast-text' }, text),
    h('button', { class: 'icon-button', type: 'button', 'aria-label': t('toast.dismiss'), onclick: () => note.remove() }, icon('close')));
  while (tray.children.length >= AT_ONCE) tray.firstChild.remove();
  tray.append(note);
  let timer = setTimeout(() => note.remove(), SHOWN_MS);
  note.addEventListener('pointerenter', () => clearTimeout(timer));
  note.addEventListener('pointerleave', () => (timer = setTimeout(() => note.remove(), SHOWN_MS / 2)));
}

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

/** Shows an error in its form, at its field where it names one. */
export function complainIn(form, error, words = explain(error)) {
  for (const field of form.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid');
  const field = error.field && form.elements.namedItem(error.field);
  if (field?.setAttribute) {
    field.setAttribute('aria-invalid', 'true');
    field.focus();
  }
  fill(form.querySelector('[data-testid=form-error]'), words);
}

/** The place for `complainIn`. */
export function errorLine() {
  return h('p', { class: 'form-error', role: 'alert', testid: 'form-error' });
}
