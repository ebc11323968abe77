// Going live: what is sent, whether it can be, and what it is called.

import { pathWords } from '../communityname.js';
import { confirmed } from '../dialogs.js';
import { checkedAsTyped, complainIn, errorLine, field, onSubmit } from '../forms.js';
import { fill, h, icon } from '../dom.js';
import { t } from '../i18n.js';
import { VISIBILITIES } from '../model.js';
import { needed } from '../rules.js';
import { remember, remembered } from '../storage.js';
import { CODECS, HEIGHTS, findings } from './rules.js';
import { KeySection } from './keys.js';
import { Preflight } from './preflight.js';
import { SourcePicker } from './sourcepicker.js';
import { devicesAllowed } from './sources.js';

const TITLE_CHARACTERS = 200;
/** What may have been mended meanwhile without this page hearing of it. */
const WORTH_ANOTHER_TRY = ['live.check.server', 'live.check.blocked', 'live.check.unknown', 'live.check.selftest', 'live.check.selftest.before'];
/** A level of a finding -> its symbol. */
const SYMBOLS = { stop: 'info', wait: 'clock', hint: 'info' };

export class StudioView {
  title = t('live.start.title');
  element;
  #site;
  #picker;
  #form;
  #fields = {};
  #checks = h('ul', { class: 'findings', 'aria-live': 'polite', testid: 'live-checks' });
  #again;
  #preflight;
  #ends = [];

  constructor(site, communityId) {
    this.#site = site;
    this.#preflight = new Preflight(site.connection.signalling);
    this.#picker = new SourcePicker(Number(remembered('cc.live.height') ?? 720));
    this.#again = h('button', { class: 'button button-small', type: 'button', hidden: true, testid: 'live-check-again', onclick: () => this.#preflight.run() }, t('live.check.again'));
    this.#form = this.#buildForm(communityId);
    this.element = h('div', { class: 'view live-view' },
      h('div', { class: 'view-head' }, h('h1', { class: 'view-title' }, t('live.start.title'))),
      h('div', { class: 'studio' },
        h('section', { class: 'sheet studio-source', 'aria-label': t('live.source') }, this.#picker.element, this.#checks, this.#again),
        h('section', { class: 'sheet studio-form' }, this.#form)),
      new KeySection(site).element);
    this.#ends.push(
      this.#picker.changed.listen(() => this.#check()),
      this.#preflight.changed.listen(() => this.#check()),
      site.connection.welcomed.listen(() => this.#preflight.run()),
      site.connection.changed.listen(() => this.#check()),
      site.communities.changed.listen(() => this.#offerCommunities(communityId)));
    this.#offerCommunities(communityId);
    if (site.connection.stands) this.#preflight.run();
    this.#offerRunning();
  }

  destroy() {
    this.#ends.forEach((end) => end());
    this.#preflight.stop();
    this.#picker.destroy();
  }

  #buildForm(communityId) {
    const fields = this.#fields;
    fields.title = h('input', { name: 'title', autocomplete: 'off', placeholder: t('live.title.example'), testid: 'live-title' });
    fields.community = h('select', { name: 'community_id', testid: 'live-community' });
    fields.visibility = h('select', { name: 'visibility', testid: 'live-visibility' }, VISIBILITIES.map((each) => h('option', { value: each }, t(`visibility.${each}`))));
    fields.description = h('textarea', { name: 'description', rows: 2, testid: 'live-description' });
    fields.height = h('select', {
      name: 'height', testid: 'live-height',
      onchange: ({ target }) => {
        remember('cc.live.height', target.value);
        this.#picker.resize(Number(target.value));
      },
    }, HEIGHTS.map((height) => h('option', { value: height, selected: height === this.#picker.height }, t(`live.height.${height}`))));
    fields.codec = h('select', { name: 'codec', testid: 'live-codec' }, CODECS.filter((codec) => codec === 'auto' || sendable().includes(codec)).map((codec) => h('option', { value: codec }, codec === 'auto' ? t('live.codec.auto') : codec)));
    fields.submit = h('button', { class: 'button button-live button-wide', testid: 'live-go' }, icon('live'), t('live.go'));
    const form = h('form', { class: 'live-form', novalidate: true, testid: 'live-form' },
      field(t('live.title'), fields.title), field(t('post.community'), fields.community), field(t('live.visibility'), fields.visibility),
      h('details', { class: 'more' },
        h('summary', { testid: 'live-more' }, t('live.more')),
        h('div', { class: 'more-inside' },
          field(t('live.description'), fields.description), field(t('live.height'), fields.height, t('live.height.hint')), field(t('live.codec'), fields.codec, t('live.codec.hint')))),
      errorLine(), fields.submit);
    const allIsWell = checkedAsTyped(form, { title: needed(TITLE_CHARACTERS) });
    fields.community.dataset.wished = communityId ?? remembered('cc.community') ?? '';
    return onSubmit(form, () => (allIsWell() ? this.#go() : undefined));
  }

  async #go() {
    const { title, community, visibility, description, codec } = this.#fields;
    if (this.#check().some(({ level }) => level === 'stop')) {
      this.#checks.scrollIntoView({ block: 'nearest' });
      fill(this.#form.querySelector('[data-testid=form-error]'), t('live.go.not'));
      return;
    }
    const body = {
      title: title.value.trim(), community_id: community.value, visibility: visibility.value,
      ...(description.value.trim() && { description: description.value.trim() }),
    };
    remember('cc.community', community.value);
    const source = this.#picker.source;
    try {
      const mayTake = ({ title: running }) => confirmed(t('live.running.take', { title: running }), t('live.take'));
      const { live, taken } = await this.#site.onAir.start(source, body, { codec: codec.value }, mayTake);
      if (taken) this.#picker.release();
      this.#site.lives.put(live);
      location.hash = `#/l/${live.id}`;
    } catch (error) {
      complainIn(this.#form, error);
    }
  }

  #check() {
    const { source, problem } = this.#picker;
    const found = findings({
      secure: devicesAllowed(),
      webrtc: typeof RTCPeerConnection === 'function',
      online: ['online', 'unanswered', 'connecting'].includes(this.#site.connection.state),
      serverReady: this.#preflight.serverReady,
      selftest: this.#preflight.selftest,
      path: this.#preflight.path,
      member: this.#fields.community.options.length > 0,
      codecs: sendable(),
      source: source !== null,
      problem,
      silent: source !== null && source.sound === null,
    });
    const stops = found.some(({ level }) => level === 'stop');
    this.#showFindings(found);
    this.#fields.submit.dataset.ready = String(!stops);
    return found;
  }

  #offerCommunities(fixed) {
    const { community } = this.#fields;
    const chosen = community.value || community.dataset.wished;
    const choices = this.#site.communities.joined().sort((a, b) => a.name.localeCompare(b.name));
    if (fixed && !choices.some(({ id }) => id === fixed)) this.#site.communities.load(fixed).catch(() => {});
    community.replaceChildren(...choices.map((each) => h('option', { value: each.id, selected: each.id === chosen }, pathWords(this.#site.communities, each))));
    this.#check();
  }

  #showFindings(found) {
    const shown = found.map(({ key }) => key).join(' ');
    if (this.#checks.dataset.shown === shown) return; // a live region speaks of every change
    this.#checks.dataset.shown = shown;
    fill(this.#checks, found.length === 0
      ? h('li', { class: 'finding finding-good', testid: 'live-check-ok' }, icon('check'), h('span', {}, t('live.check.ok')))
      : found.map(({ key, level }) => h('li', { class: `finding finding-${level}`, testid: 'live-check', 'data-key': key }, icon(SYMBOLS[level]), h('span', {}, t(key), remedy(key)))));
    const isTrying = found.some(({ level }) => level === 'wait') && !this.#again.hidden;
    const hadFocus = document.activeElement === this.#again;
    this.#again.hidden = !isTrying && !found.some(({ key }) => WORTH_ANOTHER_TRY.includes(key));
    if (hadFocus && this.#again.hidden) this.#fields.submit.focus();
  }

  async #offerRunning() {
    const { lives } = await this.#site.lives.list({}).catch(() => ({ lives: [] }));
    const mine = lives.find(({ owner }) => owner.id === this.#site.me?.id);
    if (!mine || !this.element.isConnected) return;
    this.element.querySelector('.view-head').after(h('a', { class: 'banner banner-live', href: `#/l/${mine.id}`, testid: 'live-running' }, h('span', {}, t('live.running', { title: mine.title })), h('strong', {}, t('live.running.go'))));
  }
}

/** Where what was found is mended, if that is elsewhere on this page. */
function remedy(key) {
  return key === 'live.check.member' && [' ', h('a', { href: '#/communities', testid: 'live-check-communities' }, t('feed.empty.look'))];
}

/** Names of codecs that this browser can send. */
function sendable() {
  const codecs = globalThis.RTCRtpSender?.getCapabilities?.('video')?.codecs ?? [];
  return [...new Set(codecs.map(({ mimeType }) => mimeType.split('/')[1]).filter((name) => CODECS.includes(name)))];
}
