// The page of one person: photos to be added, and dialogs about what is there.

import { Refused } from "./api.js";
import { takesFiles } from "./drop.js";
import { keepsFields } from "./kept.js";
import { notify } from "./notices.js";
import { Sending, addPhotos } from "./sending.js";
import { suggestsNames } from "./suggestions.js";
import "./once.js";

const adding = document.getElementById("adding");
const { name } = adding.dataset;
const sending = new Sending(adding, Number(adding.dataset.mostBytes));
const replacing = document.getElementById("replacing");
const rest = adding.querySelector(".rest"); // what to do with photos that could not be sent
let isBusy = false;

/** Show the photos, and the version that forms carry, as they are now. */
function refresh() {
  // How and where is said by what is around the photos; notices stay.
  return htmx.ajax("GET", location.pathname + location.search, { source: "#person", selectOOB: "#changes" });
}

adding.querySelector("[data-enrol-camera]")?.addEventListener("enrolled", refresh);

takesFiles(adding.querySelector(".drop"), (files) => {
  sending.take(files);
  begin();
});
rest.querySelector("[data-again]").addEventListener("click", () => begin());
rest.querySelector("[data-leave]").addEventListener("click", () => { sending.clear(); rest.hidden = true; });

function begin() {
  if (isBusy) return; // what is given meanwhile follows
  if (replacing.checked) askToReplace();
  else run(() => sending.each((file, key) => addPhotos(name, [file], { key })));
}

function askToReplace() {
  const dialog = document.getElementById("replace");
  dialog.querySelector("[data-chosen]").textContent = sending.left.map((file) => file.name).join(", ");
  dialog.addEventListener("close", () => { if (dialog.returnValue !== "go on") sending.clear(); }, { once: true });
  dialog.returnValue = "";
  dialog.showModal();
}

async function run(send) {
  isBusy = true;
  rest.hidden = true;
  try {
    await send();
    replacing.checked = false;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    notify(wordsOf(error), { wrong: true });
    rest.hidden = false;
  } finally {
    isBusy = false;
  }
  await refresh();
  if (rest.hidden && sending.left.length) begin();
}

function wordsOf(error) {
  if (error.code !== "precondition_failed") return error.message;
  return "Somebody else changed this person after the page was made. Nothing was replaced, and what you see now is the new state. Look at it, then send the photos again.";
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-photo]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.opens);
    dialog.querySelector("[name=photo]").value = opener.dataset.photo;
    dialog.querySelector("[data-source-of-photo]").textContent = opener.dataset.source;
  }
  const goOn = event.target.closest("#replace [data-goes-on]");
  if (goOn) {
    goOn.closest("dialog").close("go on");
    run(() => sending.together((files) => addPhotos(name, files, { mode: "replace", version: goOn.dataset.version })));
  }
});

// Who gives all photos away is forgotten: asked first.
document.body.addEventListener("htmx:confirm", (event) => {
  const boxes = [...document.querySelectorAll("input[form=move]")];
  if (event.target.id !== "move" || !boxes.every((box) => box.checked)) return;
  event.preventDefault();
  const dialog = document.getElementById("move-all");
  dialog.querySelector("[data-goes-on]").onclick = () => { dialog.close(); event.detail.issueRequest(true); };
  dialog.showModal();
});

// A page that says what is wrong is shown like one that says what was done.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status < 400 || !xhr.getResponseHeader("Content-Type")?.startsWith("text/html")) return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});

keepsFields("#person, #changes");
document.body.addEventListener("htmx:afterSettle", prepare);
prepare();

function prepare() {
  for (const field of document.querySelectorAll("[data-suggests]:not([data-is-ready])")) {
    field.dataset.isReady = "";
    suggestsNames(field);
  }
  const dialog = document.querySelector("dialog[data-again]");
  dialog?.removeAttribute("data-again");
  dialog?.showModal();
}
