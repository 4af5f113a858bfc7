/**
 * Makes an element. Children that are strings become text, never markup.
 * @param {string} tag
 * @param {Record<string, unknown>} properties
 */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.flat().filter((child) => child !== undefined && child !== ''));
  return made;
}

const shown = new WeakMap();

/**
 * Makes a container show one element an item. What has not changed stays as it is, so that a click or a selection in it
 * is not lost.
 */
export function renderList(container, items, keyOf, render) {
  const before = shown.get(container) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const text = JSON.stringify(item);
    const old = before.get(key);
    now.set(key, old?.text === text ? old : { text, node: render(item) });
  }
  shown.set(container, now);
  const wanted = [...now.values()].map(({ node }) => node);
  const same =
    wanted.length === container.children.length && wanted.every((node, at) => node === container.children[at]);
  if (!same) container.replaceChildren(...wanted);
}
