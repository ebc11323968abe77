// What the browser remembers between visits. Storage may be forbidden or full: the page works on without it.

const memory = new Map();

export function remembered(key) {
  try {
    return globalThis.localStorage.getItem(key);
  } catch {
    return memory.get(key) ?? null;
  }
}

/** `null` forgets. */
export function remember(key, value) {
  try {
    if (value === null) globalThis.localStorage.removeItem(key);
    else globalThis.localStorage.setItem(key, value);
  } catch {
    if (value === null) memory.delete(key);
    else memory.set(key, value);
  }
}
