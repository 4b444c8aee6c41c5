// Forms that lead to another page are sent once, however often their button is pressed: the second request would find the
// work done, and hide what the first one answered.

const sent = new WeakSet();

document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return; // a script or htmx sends it
  if (sent.has(event.target)) event.preventDefault();
  sent.add(event.target);
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.forms) sent.delete(form);
});
