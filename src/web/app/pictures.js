// Pictures of a post: their places are kept while they load, so that nothing jumps, and a press shows one as large as it is.

import { openDialog } from './dialogs.js';
import { h } from './dom.js';
import { t } from './i18n.js';
import { sourceSet } from './picturerules.js';
import { showPrivately } from './upload.js';

/** How wide a picture stands in a post: CSS pixels of the column, and what a phone has. */
const SIZES = '(max-width: 640px) 94vw, 600px';

/** The pictures of a post, and its videos. */
export function pictures(site, post) {
  const all = post.media ?? [];
  const [videos, shown] = [all.filter(({ kind }) => kind === 'video'), all.filter(({ kind }) => kind === 'image')];
  return [stills(site, post, shown), ...videos.map((media) => video(site, post, media))];
}

function video(site, post, media) {
  const element = h('video', {
    class: 'post-video', controls: true, playsinline: true, preload: 'metadata', width: media.width, height: media.height, 'aria-label': media.alt ?? t('video'),
    testid: 'post-video', 'data-media-id': media.id,
  });
  if (post.visibility === 'public') element.src = media.urls.original;
  else showPrivately(site.account, element, media.urls.original);
  return element;
}

function stills(site, post, shown) {
  if (shown.length === 0) return null;
  const isAlone = shown.length === 1;
  return h('div', { class: `pictures pictures-${Math.min(shown.length, 5)}`, testid: 'post-pictures' },
    shown.map((media) => h('button', {
      class: 'picture', type: 'button', testid: 'post-picture', 'data-media-id': media.id,
      'aria-label': media.alt ? t('picture.open.alt', { alt: media.alt }) : t('picture.open'),
      onclick: () => openPicture(site, post, media),
    }, picture(site, post, media, isAlone ? 'medium' : 'thumb'))));
}

function picture(site, post, media, variant) {
  const image = h('img', {
    class: 'picture-image', alt: media.alt ?? '', width: media.width, height: media.height, loading: 'lazy', decoding: 'async',
    testid: 'post-picture-image',
  });
  // Beside others a stamp is too small for screens of today.
  place(site, post, image, media, variant === 'thumb' ? 'medium' : variant);
  return image;
}

function place(site, post, image, media, variant) {
  if (post.visibility !== 'public') {
    showPrivately(site.account, image, media.urls[variant]);
    return;
  }
  // Where guests read nothing, public pictures need a token as well.
  image.addEventListener('error', () => {
    image.removeAttribute('srcset');
    showPrivately(site.account, image, media.urls[variant]);
  }, { once: true });
  if (variant === 'medium') {
    image.srcset = sourceSet(media);
    image.sizes = SIZES;
  }
  image.src = media.urls[variant];
}

function openPicture(site, post, media) {
  const image = h('img', { class: 'picture-whole', alt: media.alt ?? '', width: media.width, height: media.height, testid: 'picture-whole' });
  place(site, post, image, media, 'original');
  openDialog({
    title: t('picture.title'),
    testid: 'picture-dialog',
    build: () => h('figure', { class: 'dialog-body picture-figure' }, image, media.alt && h('figcaption', { dir: 'auto' }, media.alt)),
  });
}
