// What may be uploaded, as far as a page can tell beforehand (the server decides), and in which sizes it is shown. Pure.

export const PICTURE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];
export const VIDEO_TYPES = ['video/mp4', 'video/webm', 'video/quicktime'];
/** Pictures and videos of one post. */
export const MOST_PICTURES = 5;
export const PICTURE_BYTES = 10 * 1024 * 1024;
export const VIDEO_BYTES = 50 * 1024 * 1024;
export const PHOTO_BYTES = 5 * 1024 * 1024;

/** What is wrong with a file: `type`, `size`, or nothing. A photo is a picture of `most` bytes. */
export function flawOf({ type, size }, most = null) {
  const isVideo = most === null && VIDEO_TYPES.includes(type);
  if (!isVideo && !PICTURE_TYPES.includes(type)) return 'type';
  return size > (most ?? (isVideo ? VIDEO_BYTES : PICTURE_BYTES)) ? 'size' : null;
}

/** Which of the chosen files are taken beside `present` others, and the first thing that keeps one out: `type`, `size`, `count`. */
export function choose(files, present) {
  const taken = [];
  let flaw = null;
  for (const file of files) {
    const wrong = flawOf(file) ?? (present + taken.length >= MOST_PICTURES ? 'count' : null);
    if (wrong) flaw ??= wrong;
    else taken.push(file);
  }
  return { taken, flaw };
}

/** An error as the rest of the page knows them, of an answer's status and body. */
export function explainable(status, body) {
  const code = body?.code ?? (status === 0 ? 'offline' : status >= 500 ? 'unavailable' : 'other');
  return Object.assign(new Error(body?.message ?? ''), { code, message: body?.message ?? '', retryAfterMs: body?.retry_after_ms });
}

/** Addresses with their widths, for the browser to choose by the screen. */
export function sourceSet({ width, height, urls }) {
  const longer = Math.max(width, height);
  return [['medium', 600], ['large', 1600]]
    .filter(([variant]) => variant === 'medium' || longer > 600)
    .map(([variant, longest]) => `${urls[variant]} ${Math.max(1, Math.round(width * Math.min(1, longest / longer)))}w`)
    .join(', ');
}
