// Registering and logging in.

import { checkedAsTyped, complainIn, errorLine, field, onSubmit } from './forms.js';
import { openDialog } from './dialogs.js';
import { explain } from './toasts.js';
import { ACCOUNT_RULES } from './rules.js';
import { h } from './dom.js';
import { t } from './i18n.js';

/** Opens one of the two forms; `account.changed` says when it has worked. `known` is what the forms need not ask for: `{username, name}`. */
export function openAuth(account, which = 'login', known = {}) {
  const dialog = openDialog({
    title: t(which === 'login' ? 'auth.login.title' : 'auth.register.title'),
    testid: 'auth-dialog',
    build: (close) => {
      const form = which === 'login' ? loginForm(account, close, known) : registerForm(account, close, known);
      const other = which === 'login' ? 'register' : 'login';
      const change = h('button', {
        class: 'button-plain', type: 'button', testid: `auth-to-${other}`,
        onclick: () => {
          close();
          openAuth(account, other, known);
        },
      }, t(`auth.to.${other}`));
      return h('div', { class: 'dialog-body' }, form, change);
    },
  });
  return dialog;
}

function loginForm(account, close, known) {
  const who = h('input', { name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true, value: known.username, testid: 'login-username' });
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true, testid: 'login-password' });
  const form = h('form', { testid: 'login-form', novalidate: true },
    field(t('auth.who'), who),
    field(t('auth.password'), password),
    errorLine(),
    h('button', { class: 'button button-primary button-wide', testid: 'login-submit' }, t('auth.login')));
  return onSubmit(form, async () => {
    const name = who.value.trim();
    try {
      await account.login({ [name.includes('@') ? 'email' : 'username']: name, password: password.value });
      close();
    } catch (error) {
      const wrong = ['unauthenticated', 'not_found', 'invalid', 'forbidden'].includes(error.code);
      complainIn(form, error, wrong ? t('auth.wrong') : explain(error));
    }
  });
}

function registerForm(account, close, known) {
  const value = (name) => form.elements.namedItem(name).value;
  const form = h('form', { testid: 'register-form', novalidate: true },
    field(t('auth.name'), h('input', { name: 'name', autocomplete: 'name', value: known.name, testid: 'register-name' }), t('auth.name.hint')),
    field(t('auth.username'), h('input', { name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true, value: known.username, testid: 'register-username' }), t('auth.username.hint')),
    field(t('auth.email'), h('input', { name: 'email', type: 'email', autocomplete: 'email', required: true, testid: 'register-email' })),
    field(t('auth.password'), h('input', { name: 'password', type: 'password', autocomplete: 'new-password', required: true, testid: 'register-password' }), t('auth.password.hint')),
    errorLine(),
    h('button', { class: 'button button-primary button-wide', testid: 'register-submit' }, t('auth.register')));
  onSubmit(form, async () => {
    if (!allIsWell()) return;
    try {
      await account.register({
        username: value('username').trim(),
        email: value('email').trim(),
        password: value('password'),
        name: value('name').trim() || value('username').trim(),
      });
      close();
    } catch (error) {
      const taken = error.code === 'conflict' && (error.field === 'email' ? t('auth.taken.email') : t('auth.taken'));
      complainIn(form, error, taken || explain(error));
    }
  });
  const allIsWell = checkedAsTyped(form, ACCOUNT_RULES);
  return form;
}
