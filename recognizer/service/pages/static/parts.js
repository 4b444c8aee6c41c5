// Copies of a page's <template>s, and what is in an element by the names that `data-part` gives.

/** @returns {Element} a copy of the one element of the <template> of that id; null without such a template */
export function copyOf(id) {
  const template = document.getElementById(id);
  // Pictures of a clone would not load: it belongs to no page.
  return template && document.importNode(template.content.firstElementChild, true);
}

/** @returns {Object<string, HTMLElement>} */
export function partsOf(root) {
  return Object.fromEntries([...root.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
}

/** Show an element with some text, or hide it where there is none. */
export function tell(element, text) {
  element.textContent = text ?? "";
  element.hidden = !text;
}
