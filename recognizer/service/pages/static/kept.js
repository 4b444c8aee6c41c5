// What was typed or ticked stays, where another part of the page is what was changed. Its form gets the new version, and
// may be sent; but keeps the old one where what it began from is not what is stored by now, so that this is told.

/**
 * @param {string} places a selector of what htmx swaps
 */
export function keepsFields(places) {
  let kept = [];
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const sent = event.detail.requestConfig.elt; // its fields are as the answer says
    kept = fieldsIn(places).filter((field) => field.form && field.form !== sent && isChanged(field)).map((field) => ({
      key: keyOf(field), value: field.value, checked: field.checked, begun: field.defaultValue,
      version: field.form.elements.version?.value,
    }));
  });
  document.body.addEventListener("htmx:afterSettle", () => {
    const there = new Map(fieldsIn(places).map((field) => [keyOf(field), field]));
    for (const each of kept) if (there.has(each.key)) restore(there.get(each.key), each);
    kept = [];
  });
}

function fieldsIn(places) {
  return [...document.querySelectorAll(places)].flatMap((place) => [...place.querySelectorAll("input:not([type=hidden]), textarea")]);
}

function keyOf(field) {
  return field.id || `${field.name}=${field.value}`; // boxes of the same name differ by their values
}

function isChanged(field) {
  return field.type === "checkbox" ? field.checked : "typed" in field.dataset || field.value !== field.defaultValue;
}

function restore(field, { value, checked, begun, version }) {
  if (field.type === "checkbox") {
    field.checked = checked;
    return;
  }
  if (field.defaultValue !== begun && version) field.form.elements.version.value = version;
  field.value = value;
}
