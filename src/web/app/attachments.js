// The pictures of a post that is being written: chosen, pasted or dropped, each with what it shows in words, sent with the post.

import { h, icon, removeKeepingPlace } from './dom.js';
import { t } from './i18n.js';
import { toast } from './toasts.js';
import { upload } from './upload.js';
import { PICTURE_TYPES, VIDEO_TYPES, choose } from './picturerules.js';

const ALT_CHARACTERS = 1000;

export class Attachments {
  /** The pictures, and what chooses them. */
  element;
  button;
  #site;
  #changed;
  #items = [];

  /** `changed()` hears of every picture that comes or goes. */
  constructor(site, changed) {
    this.#site = site;
    this.#changed = changed;
    this.element = h('ul', { class: 'attachments', hidden: true, testid: 'composer-pictures' });
    const input = h('input', { type: 'file', accept: [...PICTURE_TYPES, ...VIDEO_TYPES].join(','), multiple: true, class: 'unseen', tabindex: '-1', 'aria-label': t('picture.add'), testid: 'composer-file' });
    input.addEventListener('change', () => {
      this.add([...input.files]);
      input.value = '';
    });
    this.button = h('span', { class: 'attach' },
      h('button', { class: 'icon-button', type: 'button', 'aria-label': t('picture.add'), title: t('picture.add'), testid: 'composer-picture', onclick: () => input.click() }, icon('picture')),
      input);
  }

  get count() {
    return this.#items.length;
  }

  /** Listens to what is pasted into and dropped onto an element. */
  listen(element) {
    element.addEventListener('paste', (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.add(files);
    });
    element.addEventListener('dragover', (event) => {
      if ([...(event.dataTransfer?.types ?? [])].includes('Files')) event.preventDefault();
    });
    element.addEventListener('drop', (event) => {
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.add(files);
    });
  }

  add(files) {
    const { taken, flaw } = choose(files, this.count);
    if (flaw) toast(t(`picture.flaw.${flaw}`), 'error');
    for (const file of taken) this.#show(file);
    if (taken.length > 0) this.#became();
  }

  /** Uploads what is not there yet; resolves to the ids, in the order shown. What failed stays, and is tried next time. */
  async send() {
    for (const item of this.#items) {
      if (item.media) continue;
      item.bar.hidden = false;
      try {
        item.media = await upload(this.#site.account, item.file, { alt: item.alt.value, progress: (share) => (item.bar.value = share) });
      } finally {
        item.bar.hidden = true;
      }
      // What it shows went along with it.
      item.alt.disabled = true;
    }
    return this.#items.map(({ media }) => media);
  }

  clear() {
    for (const { address } of this.#items) URL.revokeObjectURL(address);
    this.#items = [];
    this.element.replaceChildren();
    this.#became();
  }

  #show(file) {
    const address = URL.createObjectURL(file);
    const alt = h('input', { class: 'attachment-alt', maxlength: ALT_CHARACTERS, placeholder: t('picture.alt'), 'aria-label': t('picture.alt'), testid: 'composer-alt' });
    const bar = h('progress', { max: 1, value: 0, hidden: true, 'aria-label': t('picture.sending'), testid: 'composer-progress' });
    const item = { file, address, alt, bar, media: null };
    item.element = h('li', { class: 'attachment', testid: 'composer-attachment' },
      VIDEO_TYPES.includes(file.type) ? h('video', { src: address, muted: true, preload: 'metadata' }) : h('img', { src: address, alt: '' }),
      h('div', { class: 'attachment-words' }, alt, bar),
      h('button', {
        class: 'icon-button', type: 'button', 'aria-label': t('picture.remove'), title: t('picture.remove'), testid: 'composer-picture-remove',
        onclick: () => {
          URL.revokeObjectURL(address);
          this.#items = this.#items.filter((other) => other !== item);
          removeKeepingPlace(item.element);
          this.#became();
        },
      }, icon('close')));
    this.#items.push(item);
    this.element.append(item.element);
  }

  #became() {
    this.element.hidden = this.count === 0;
    this.#changed();
  }
}
