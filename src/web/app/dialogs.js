// Dialogs: the browser's own <dialog>, which keeps the focus inside and gives it back.

import { h, icon } from './dom.js';
import { t } from './i18n.js';
import { placeToasts } from './toasts.js';

/** Opens a dialog; `build(close)` gives its content. Returns the element; it removes itself when it closes. */
export function openDialog({ title, testid, build }) {
  const dialog = h('dialog', { class: 'dialog', testid, 'aria-label': title });
  const close = () => dialog.close();
  dialog.append(
    h('header', { class: 'dialog-head' },
      h('h2', {}, title),
      h('button', { class: 'icon-button', type: 'button', 'aria-label': t('dialog.close'), testid: 'dialog-close', onclick: close }, icon('close'))),
    build(close));
  dialog.addEventListener('close', () => {
    placeToasts();
    dialog.remove();
  });
  let written = false;
  dialog.addEventListener('input', () => (written = true));
  dialog.addEventListener('pointerdown', (event) => {
    // A slip beside a dialog must not cost what was typed in it.
    if (event.target === dialog && !written) close();
  });
  document.body.append(dialog);
  dialog.showModal();
  placeToasts();
  dialog.querySelector('[autofocus], input, textarea')?.focus();
  return dialog;
}

/** Asks for a yes; resolves to true or false. */
export function confirmed(question, yes) {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = openDialog({
      title: yes,
      testid: 'confirm-dialog',
      build: (close) =>
        h('div', { class: 'dialog-body' },
          h('p', {}, question),
          h('div', { class: 'dialog-actions' },
            h('button', { class: 'button', type: 'button', testid: 'confirm-no', autofocus: true, onclick: close }, t('dialog.cancel')),
            h('button', {
              class: 'button button-danger', type: 'button', testid: 'confirm-yes',
              onclick: () => {
                answer = true;
                close();
              },
            }, yes))),
    });
    dialog.addEventListener('close', () => resolve(answer));
  });
}

/** A menu behind a button: closes by Escape, by a press elsewhere, and when something in it was chosen. */
export function menu({ label, testid, items }) {
  const details = h('details', { class: 'menu' },
    h('summary', { class: 'icon-button', 'aria-label': label, title: label, testid }, icon('dots')),
    h('div', { class: 'menu-list' },
      items.map(({ text, symbol, testid: itemId, danger, run }) =>
        h('button', {
          class: `menu-item${danger ? ' menu-danger' : ''}`, type: 'button', testid: itemId,
          onclick: () => {
            details.open = false;
            details.querySelector('summary').focus();
            run();
          },
        }, icon(symbol), text))));
  details.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !details.open) return;
    details.open = false;
    details.querySelector('summary').focus();
    event.stopPropagation();
  });
  details.addEventListener('focusout', (event) => {
    if (event.relatedTarget && !details.contains(event.relatedTarget)) details.open = false;
  });
  return details;
}

addEventListener('pointerdown', (event) => {
  for (const open of document.querySelectorAll('details.menu[open]')) if (!open.contains(event.target)) open.open = false;
});
