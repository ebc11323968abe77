// What may stand in a field, to be said while it is typed. Pure, and tested in tests/web/. The server checks the same
// and has the last word (protocol/SPEC.md).

import { length } from './model.js';

const USERNAME = { min: 3, max: 32 };
const PASSWORD = { min: 8, max: 128 };
const NAME = { max: 80 };
const EMAIL = { max: 254 };

/**
 * For each field a function from what was typed to what is wrong with it: `{key, values, soon}`, or null. `soon` is
 * worth saying while the person still types; the rest would only be a reproach for not having finished.
 */
export const ACCOUNT_RULES = {
  username(value) {
    const username = value.trim();
    const strange = [...new Set(username.match(/[^A-Za-z0-9_.-]/gu))];
    if (strange.includes(' ')) return { key: 'rule.username.space', soon: true };
    if (strange.length > 0) return { key: 'rule.username.characters', values: { characters: strange.slice(0, 5).join(' ') }, soon: true };
    return size(username.length, USERNAME);
  },
  password: (value) => size(length(value), PASSWORD),
  /** An empty name is none: the username is shown then. */
  name: (value) => size(length(value.trim()), { min: 0, ...NAME }),
  email(value) {
    const address = value.trim();
    if (address === '') return { key: 'rule.empty', soon: false };
    if (address.length > EMAIL.max) return { key: 'rule.long', values: { count: EMAIL.max }, soon: true };
    if (/\s/.test(address)) return { key: 'rule.email', soon: true };
    return /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/.test(address) ? null : { key: 'rule.email', soon: false };
  },
};

/** A text that must be there and has at most `max` characters. */
export function needed(max) {
  return (value) => size(length(value.trim()), { min: 1, max });
}

function size(count, { min, max }) {
  if (count > max) return { key: 'rule.long', values: { count: max }, soon: true };
  if (count === 0 && min > 0) return { key: 'rule.empty', soon: false };
  return count < min ? { key: 'rule.short', values: { count: min - count }, soon: false } : null;
}
