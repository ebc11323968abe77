// The language of the page: words from the dictionary, dates and plurals by the browser's own rules.

import { DICTIONARY } from './dictionary.js';
import { isolated } from './model.js';
import { remembered, remember } from './storage.js';

export const LANGUAGES = { en: 'English', fr: 'Français' };

let language = choose();

export function currentLanguage() {
  return language;
}

export function setLanguage(wanted) {
  language = wanted in LANGUAGES ? wanted : 'en';
  remember('cc.language', language);
  document.documentElement.lang = language;
}

/** The words for `key`; a missing key shows itself rather than nothing. */
export function t(key, values = {}) {
  const entry = DICTIONARY[key];
  if (!entry) return key;
  const one = entry.one && new Intl.PluralRules(language).select(Number(values.count ?? 0)) === 'one';
  const form = one ? entry.one : (entry.other ?? entry);
  return form[language].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? shown(values[name]) : whole));
}

/** A label and what it says, with the language's own colon. */
export function labelled(label, value) {
  return t('label', { label, value });
}

export function number(value) {
  return new Intl.NumberFormat(language, { notation: value >= 10_000 ? 'compact' : 'standard' }).format(value);
}

/** How long ago, in the shortest words: "now", "5 min", "3 h", then the date. */
export function ago(at, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  const unit = (value, name) => new Intl.NumberFormat(language, { style: 'unit', unit: name, unitDisplay: 'short' }).format(value);
  if (seconds < 45) return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(0, 'second');
  if (seconds < 3600) return unit(Math.max(1, Math.round(seconds / 60)), 'minute');
  if (seconds < 86_400) return unit(Math.round(seconds / 3600), 'hour');
  if (seconds < 6 * 86_400) return unit(Math.round(seconds / 86_400), 'day');
  return new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short', year: 'numeric' }).format(at);
}

/** A date that is precise to the `day`, the `minute` or the `second`. */
export function dateTo(precision, at) {
  const time = { minute: { timeStyle: 'short' }, second: { timeStyle: 'medium' } }[precision];
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', ...time }).format(at);
}

export function fullDate(at) {
  return new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'short' }).format(at);
}

function shown(value) {
  return typeof value === 'number' ? number(value) : isolated(String(value));
}

function choose() {
  const wanted = remembered('cc.language') ?? globalThis.navigator?.language?.slice(0, 2);
  return wanted in LANGUAGES ? wanted : 'en';
}
