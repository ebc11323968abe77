// The picture of a person without a photo: two interlocking rings, their colours and turn derived from the id, so that
// people are told apart at a glance and look the same everywhere. Anonymous authors all look alike.

import { h, icon, svgElement } from './dom.js';
import { nameOf } from './model.js';

export function avatar(user, size = 'm') {
  if (!user) return h('span', { class: `avatar avatar-${size} avatar-anonymous` }, icon('mask'));
  const photo = user.photo?.thumb ?? user.photo?.medium;
  if (photo) {
    const image = h('img', { class: `avatar avatar-${size}`, src: photo, alt: '', loading: 'lazy' });
    // A photo that has made way for another since this was read.
    image.addEventListener('error', () => image.replaceWith(avatar({ ...user, photo: null }, size)), { once: true });
    return image;
  }
  const seed = hash(user.id);
  const hue = seed % 360;
  const turn = (seed >>> 9) % 360;
  const picture = svgElement('svg', { class: `avatar avatar-${size}`, viewBox: '0 0 40 40', 'aria-hidden': 'true' });
  picture.append(svgElement('rect', { width: '40', height: '40', fill: `hsl(${hue} 42% 34%)` }));
  const rings = svgElement('g', { fill: 'none', 'stroke-width': '5', transform: `rotate(${turn} 20 20)`, opacity: '0.5' });
  rings.append(svgElement('circle', { cx: '8', cy: '14', r: '13', stroke: `hsl(${(hue + 40) % 360} 60% 56%)` }));
  rings.append(svgElement('circle', { cx: '31', cy: '28', r: '12', stroke: `hsl(${(hue + 320) % 360} 55% 60%)` }));
  const letter = svgElement('text', { x: '20', y: '20', dy: '.36em', 'text-anchor': 'middle', fill: '#fff', 'font-size': '17', 'font-weight': '650' });
  letter.textContent = [...nameOf(user)][0].toUpperCase();
  picture.append(rings, letter);
  return picture;
}

function hash(text) {
  let value = 2166136261;
  for (const character of text) value = Math.imul(value ^ character.codePointAt(0), 16777619);
  return (value ^ (value >>> 13)) >>> 0;
}
