// What every page does: the menu, dialogs, forms that send themselves, and errors of htmx as notices.
//
//   data-opens="ID"            a button that opens the <dialog> of that id
//   data-closes                a button that closes the <dialog> that it is in
//   data-dismisses             a button that takes the notice away that it is in
//   data-submit-on-change      a form that is sent when one of its fields changes
//   data-copies="ID"           a button that copies the text of the element of that id

import { notify } from "./notices.js";

const menu = document.querySelector("[data-menu]");
if (menu) {
  menu.hidden = !matchMedia("(max-width: 760px)").matches;
  matchMedia("(max-width: 760px)").addEventListener("change", (event) => { menu.hidden = !event.matches; });
  menu.addEventListener("click", () => menu.setAttribute("aria-expanded", menu.getAttribute("aria-expanded") !== "true"));
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog").close();
  event.target.closest("[data-dismisses]")?.closest(".notice").remove();
});

document.addEventListener("click", async (event) => {
  const copier = event.target.closest("[data-copies]");
  if (!copier) return;
  const source = document.getElementById(copier.dataset.copies);
  try {
    await navigator.clipboard.writeText(source.textContent);
    notify("Copied.");
  } catch {
    getSelection().selectAllChildren(source);
    notify("Copying is not allowed here: the text is selected, press Ctrl-C.");
  }
});

document.addEventListener("change", (event) => event.target.closest("form[data-submit-on-change]")?.requestSubmit());

document.body.addEventListener("htmx:responseError", (event) => notify(wordsOf(event.detail.xhr), { wrong: true }));
document.body.addEventListener("htmx:sendError", () =>
  notify("The service cannot be reached. Is it running?", { wrong: true }));
// A page's answer says {"notice": {"text": "..."}} in HX-Trigger.
document.body.addEventListener("notice", (event) => notify(event.detail.text, event.detail));

function wordsOf(answer) {
  try {
    return JSON.parse(answer.responseText).message;
  } catch {
    return `The service answered with ${answer.status}.`;
  }
}
