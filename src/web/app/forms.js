// Forms: labelled fields, what is wrong with them said where it is wrong, and one sending at a time.

import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { explain } from './toasts.js';

let fields = 0;

/** A labelled field with room for a hint and for what is wrong with it. */
export function field(label, control, hint) {
  fields += 1;
  const id = `field-${fields}`;
  control.id = id;
  control.setAttribute('aria-describedby', `${id}-hint ${id}-error`);
  return h('div', { class: 'field' },
    h('label', { class: 'field-label', for: id }, label),
    control,
    hint && h('span', { class: 'field-hint', id: `${id}-hint` }, hint),
    h('span', { class: 'field-error', id: `${id}-error`, 'aria-live': 'polite', testid: 'field-error' }));
}

/**
 * Checks fields while they are typed in: what is wrong is said at once where more typing cannot mend it, else when the
 * field is left, and from then on until it is right. Returns a check of all fields, to be asked before sending.
 */
export function checkedAsTyped(form, rules) {
  const left = new Set();
  const wrong = (name) => {
    const problem = rules[name](form.elements.namedItem(name).value);
    return problem && (problem.soon || left.has(name)) ? t(problem.key, problem.values) : '';
  };
  for (const name of Object.keys(rules)) {
    const control = form.elements.namedItem(name);
    control.addEventListener('input', () => mark(control, wrong(name)));
    control.addEventListener('blur', () => {
      if (!control.value) return; // passing through is no mistake
      left.add(name);
      // What the server has said of the same text stays until the text changes.
      if (wrong(name)) mark(control, wrong(name));
    });
  }
  return () => {
    Object.keys(rules).forEach((name) => left.add(name));
    const bad = Object.keys(rules).filter((name) => mark(form.elements.namedItem(name), wrong(name)));
    if (bad.length === 0) return true;
    form.querySelector('[aria-invalid]').focus();
    fill(lineOf(form), t('form.marked'));
    return false;
  };
}

/** Shows an error in its form, at its field where it names one. */
export function complainIn(form, error, words = explain(error)) {
  const control = error.field && form.elements.namedItem(error.field);
  const placed = control?.setAttribute && mark(control, words);
  if (placed) control.focus();
  fill(lineOf(form), placed && noteOf(control) ? t('form.marked') : words);
}

/** Takes back what was said of a form. */
export function forgive(form) {
  for (const control of form.querySelectorAll('[aria-invalid]')) mark(control, '');
  fill(lineOf(form));
}

/** The place for what is wrong with a form as a whole. */
export function errorLine() {
  return h('p', { class: 'form-error', role: 'alert', testid: 'form-error' });
}

/** Listens to a form: one sending at a time, also by Ctrl+Enter, and what was said of the last one is taken back. */
export function onSubmit(form, send) {
  let busy = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    form.setAttribute('aria-busy', 'true');
    forgive(form);
    try {
      await send();
    } finally {
      busy = false;
      form.removeAttribute('aria-busy');
    }
  });
  form.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.target.closest('button')) return;
    event.preventDefault(); // some browsers would send a line of text by it, too
    form.requestSubmit();
  });
  // On the way down, so that what `checkedAsTyped` finds in the new text is said after this.
  form.addEventListener('input', ({ target }) => mark(target, ''), { capture: true });
  return form;
}

/** Says, or takes back, what is wrong with one field; true if there is something. */
function mark(control, words) {
  if (words) control.setAttribute('aria-invalid', 'true');
  else control.removeAttribute('aria-invalid');
  const note = noteOf(control);
  if (note && note.textContent !== words) note.textContent = words;
  return words !== '';
}

function noteOf(control) {
  return control.closest('.field')?.querySelector('.field-error');
}

function lineOf(form) {
  return form.querySelector('[data-testid=form-error]');
}
