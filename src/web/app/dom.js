// Building the page. Text goes in as text nodes only; nothing here or elsewhere parses markup.

import { ago, fullDate } from './i18n.js';
import { oneLine } from './model.js';

/**
 * An element: `h('button', {class: 'chip', testid: 'like', onclick: press, 'aria-pressed': 'true'}, 'Like')`.
 * Keys that begin with `on` are listeners, `testid` becomes `data-testid`, true and false set or leave out an
 * attribute, null and undefined leave it out. Children are nodes, texts, arrays of them, or nothing.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key === 'testid' ? 'data-testid' : key, value === true ? '' : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A symbol of index.html; decoration unless it is given a `label`. */
export function icon(name, label) {
  const svg = svgElement('svg', { class: `icon icon-${name}`, viewBox: '0 0 24 24' });
  if (label) {
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', label);
  } else {
    svg.setAttribute('aria-hidden', 'true');
  }
  svg.append(svgElement('use', { href: `#icon-${name}` }));
  return svg;
}

export function svgElement(tag, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An address ends before a space, and before characters that would turn it around or hide a part of it. */
const WEB_ADDRESS = /https?:\/\/[^\s<>"\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+(?<![.,;:!?)\]'»])/g;

/** What a person wrote, with web addresses made into links. */
export function written(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(WEB_ADDRESS)) {
    parts.push(text.slice(end, match.index));
    parts.push(h('a', { href: match[0], rel: 'noopener noreferrer nofollow ugc', target: '_blank' }, match[0]));
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== '');
}

/** A time that keeps itself up to date. */
export function timeTag(at) {
  return h('time', { datetime: new Date(at).toISOString(), title: fullDate(at), 'data-at': at }, ago(at));
}

/** Brings every shown time up to date; to be called now and then. */
export function refreshTimes(root = document) {
  for (const element of root.querySelectorAll('time[data-at]')) {
    const text = ago(Number(element.dataset.at));
    if (element.textContent !== text) element.textContent = text;
  }
}

/** A name or title in a line of ours: it keeps its own direction and turns nothing beside it. */
export function named(text) {
  return h('bdi', {}, oneLine(text));
}

/** Takes an element away; the focus, if it was inside, goes to what stands where it stood. */
export function removeKeepingPlace(element) {
  const hadFocus = element.contains(document.activeElement);
  const next = element.nextElementSibling ?? element.previousElementSibling;
  element.remove();
  if (!hadFocus) return;
  (next?.querySelector('a[href]:not([tabindex]), button') ?? document.getElementById('content'))?.focus({ preventScroll: true });
}

/** Makes a text area as high as its text. */
export function growing(area) {
  const grow = () => {
    area.style.height = 'auto';
    area.style.height = `${area.scrollHeight + 2}px`;
  };
  area.addEventListener('input', grow);
  return area;
}

/** Whether movement is unwelcome. */
export function calm() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
