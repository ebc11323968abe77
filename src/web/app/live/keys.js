// Streaming with OBS, FFmpeg and the like: the address, the key, and what a live is called that such a program starts.

import { pathWords } from '../communityname.js';
import { confirmed } from '../dialogs.js';
import { complainIn, errorLine, field, onSubmit } from '../forms.js';
import { fill, h, icon, timeTag } from '../dom.js';
import { t } from '../i18n.js';
import { VISIBILITIES } from '../model.js';
import { complain, toast } from '../toasts.js';

/** The lasting key of a person. A key is shown when it is made, and never again. */
export class KeySection {
  element;
  #site;
  #state = h('div', { class: 'key-state' });
  #shown = h('div', { class: 'key-shown' });
  #defaults = h('div', {});
  #loaded = false;

  constructor(site) {
    this.#site = site;
    this.element = h('details', { class: 'sheet more encoder', testid: 'live-encoder' },
      h('summary', {}, icon('encoder'), t('live.encoder')),
      h('div', { class: 'more-inside' }, h('p', { class: 'hint' }, t('live.encoder.text')), this.#state, this.#shown, this.#defaults));
    this.element.addEventListener('toggle', () => this.element.open && !this.#loaded && this.#load());
  }

  async #load() {
    this.#loaded = true;
    try {
      const [key, { defaults }] = await Promise.all([this.#site.connection.ask('live.key.get', {}), this.#site.connection.ask('live.defaults', {})]);
      this.#showState(key);
      fill(this.#defaults, this.#defaultsForm(defaults));
    } catch (error) {
      this.#loaded = false;
      complain(error);
    }
  }

  #showState({ exists, created_at: created, last_used_at: used }) {
    fill(this.#state,
      h('p', {}, exists ? [t('live.key.exists'), ' ', created && timeTag(created), used && [' · ', t('live.key.used'), ' ', timeTag(used)]] : t('live.key.none')),
      h('button', { class: 'button', type: 'button', testid: 'live-key-rotate', onclick: () => this.#rotate(exists) }, t(exists ? 'live.key.rotate' : 'live.key.make')));
  }

  async #rotate(exists) {
    if (exists && !(await confirmed(t('live.key.rotate.sure'), t('live.key.rotate')))) return;
    try {
      const key = await this.#site.connection.ask('live.key.rotate', {});
      fill(this.#shown, keyCard(key));
      this.#showState({ exists: true, created_at: Date.now() });
    } catch (error) {
      complain(error);
    }
  }

  #defaultsForm(defaults) {
    const title = h('input', { name: 'title', value: defaults.title ?? '', testid: 'live-default-title' });
    const community = h('select', { name: 'community_id', testid: 'live-default-community' },
      this.#site.communities.joined().map((each) => h('option', { value: each.id, selected: each.id === defaults.community_id }, pathWords(this.#site.communities, each))));
    const visibility = h('select', { name: 'visibility', testid: 'live-default-visibility' }, VISIBILITIES.map((each) => h('option', { value: each, selected: each === defaults.visibility }, t(`visibility.${each}`))));
    const form = h('form', { class: 'live-form', novalidate: true, testid: 'live-defaults' },
      h('h3', { class: 'section-title' }, t('live.defaults')), h('p', { class: 'hint' }, t('live.defaults.text')),
      field(t('live.title'), title), field(t('post.community'), community), field(t('live.visibility'), visibility), errorLine(),
      h('div', { class: 'dialog-actions' }, h('button', { class: 'button', testid: 'live-defaults-save' }, t('dialog.save'))));
    return onSubmit(form, async () => {
      try {
        await this.#site.connection.ask('live.defaults', { ...(title.value.trim() && { title: title.value.trim() }), community_id: community.value, visibility: visibility.value });
        toast(t('live.defaults.saved'));
      } catch (error) {
        complainIn(form, error);
      }
    });
  }
}

/** A key and where it belongs, to be copied. */
export function keyCard({ stream_key: key, whip_url: url }) {
  const address = new URL(url, location.href).href;
  const command = `ffmpeg -re -i video.mp4 -c:v libx264 -profile:v baseline -bf 0 -g 60 -c:a libopus -ar 48000 -f whip -authorization ${key} ${address}`;
  return h('div', { class: 'key-card', testid: 'live-key-card' },
    copyRow(t('live.key.address'), address, 'live-key-address'),
    copyRow(t('live.key.key'), key, 'live-key', { secret: true }),
    copyRow('FFmpeg', command, 'live-key-ffmpeg', { secret: true }),
    h('p', { class: 'hint' }, t('live.key.once')));
}

function copyRow(label, text, testid, { secret = false } = {}) {
  const box = h('input', { class: 'copy-text', readonly: true, value: text, type: secret ? 'password' : 'text', autocomplete: 'off', 'aria-label': label, testid: `${testid}` });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      toast(t('live.copied'));
    } catch {
      box.type = 'text'; // without leave to use the clipboard it can still be marked and copied
      box.select();
    }
  };
  return h('div', { class: 'copy-row' },
    h('span', { class: 'field-label' }, label),
    h('div', { class: 'copy-line' }, box,
      secret && h('button', {
        class: 'icon-button', type: 'button', 'aria-label': t('live.key.show'), title: t('live.key.show'),
        onclick: () => (box.type = box.type === 'password' ? 'text' : 'password'),
      }, icon('eye')),
      h('button', { class: 'button button-small', type: 'button', testid: `${testid}-copy`, onclick: copy }, t('live.copy'))));
}
