// Uploading pictures, and getting the bytes of those that not everybody may see.

import { explainable } from './picturerules.js';

/** Sends one file; `progress(share)` hears from 0 to 1. Resolves to the media, throws what the server says, or `offline`. */
export async function upload(account, file, { purpose = 'post', alt = '', progress = () => {} } = {}) {
  const token = await account.token();
  const form = new FormData();
  form.append('purpose', purpose);
  if (alt.trim()) form.append('alt', alt.trim());
  form.append('file', file, 'picture');
  // fetch tells nothing of what has been sent so far.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', 'v1/media');
    if (token) request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.responseType = 'json';
    request.upload.addEventListener('progress', ({ loaded, total }) => progress(total ? loaded / total : 0));
    request.addEventListener('load', () => {
      if (request.status === 201) resolve(request.response.media);
      else reject(explainable(request.status, request.response));
    });
    request.addEventListener('error', () => reject(explainable(0, null)));
    request.send(form);
  });
}

/** Shows what not everybody may see: an `<img>` sends no token, so its bytes are fetched and get an address of their own. */
export async function showPrivately(account, image, url) {
  try {
    const token = await account.token();
    const response = await fetch(url, token ? { headers: { Authorization: `Bearer ${token}` } } : {});
    if (!response.ok) return;
    const address = URL.createObjectURL(await response.blob());
    const forget = () => URL.revokeObjectURL(address);
    // A video is read on while it plays: its address goes with the page.
    image.addEventListener('load', forget, { once: true });
    image.addEventListener('error', forget, { once: true });
    image.src = address;
  } catch {
    // Without a connection the place stays empty, as every other picture's does.
  }
}
