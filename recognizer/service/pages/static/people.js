// The page of everybody: enrolling somebody new, and a deletion that can be taken back for a while.

import { Refused, ask, inGallery, photosOf } from "./api.js";
import { takesFiles } from "./drop.js";
import { notify } from "./notices.js";
import { Sending, addPhotos } from "./sending.js";
import "./once.js";
import "./upload.js";

const OF_THE_NAME = new Set(["bad_name", "no_name", "name_taken"]);

const undoable = document.querySelector("[data-undo-seconds]");
if (undoable) {
  // Coming back to this address later must not offer it again.
  const kept = new URL(location.href);
  kept.pathname = "/people";
  for (const name of ["deleted", "undo"]) kept.searchParams.delete(name);
  history.replaceState(history.state, "", kept);
  setTimeout(() => undoable.querySelector("form")?.remove(), 1000 * Number(undoable.dataset.undoSeconds));
}

const form = document.getElementById("new-person");
if (form) enrols(form);

function enrols(form) {
  const field = form.elements.name;
  const problem = form.querySelector(".problem");
  const after = form.querySelector(".after");
  const sending = new Sending(form, Number(form.dataset.mostBytes));
  const sendButton = form.querySelector("button[type=submit]");
  let known = null; // who has been enrolled here, or is to get more photos: as typed, and as stored

  const send = async (file, key) => {
    if (known?.typed === field.value) return addPhotos(known.name, [file], { key });
    const body = photosOf([file], { name: field.value });
    const answer = await ask("POST", "people", { body, headers: { "Idempotency-Key": key } });
    known = { typed: field.value, name: answer.person.name };
    return answer;
  };

  const refuse = (error) => {
    const isTaken = error.code === "name_taken";
    problem.querySelector("p").textContent = isTaken ? "There is somebody of that name already." : error.message;
    problem.querySelector("button").hidden = !isTaken;
    problem.hidden = false;
    field.setAttribute("aria-invalid", "true");
    (isTaken ? problem.querySelector("button") : field).focus();
  };

  const forget = () => {
    problem.hidden = true;
    after.hidden = true;
    field.removeAttribute("aria-invalid");
  };

  const show = (name) => {
    const link = after.querySelector("a");
    link.href = inGallery("/person", { name });
    link.textContent = `Show ${name}`;
    after.hidden = false;
    link.focus();
    htmx.trigger("form[role=search]", "submit");
  };

  const run = async () => {
    forget();
    if (!sending.left.length) {
      sending.say("Choose at least one photo first.");
      form.querySelector("input[type=file]").focus();
      return;
    }
    sendButton.disabled = true;
    let stored = 0;
    try {
      stored = await sending.each(send);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (OF_THE_NAME.has(error.code)) refuse(error);
      else notify(error.message, { wrong: true });
    } finally {
      sendButton.disabled = false;
    }
    if (stored) show(known.name);
  };

  const take = (files) => {
    sending.take(files);
    sending.say(files.length === 1 ? "One photo is ready to be sent." : `${files.length} photos are ready to be sent.`);
  };
  takesFiles(form.querySelector(".drop"), take);
  form.addEventListener("photo", (event) => take([event.detail.file])); // of the camera
  form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
  field.addEventListener("input", forget);
  problem.querySelector("button").addEventListener("click", () => {
    known = { typed: field.value, name: field.value };
    run();
  });
  form.closest("dialog").addEventListener("close", () => {
    if (sendButton.disabled || sending.left.length) return; // nothing that was chosen is lost
    form.reset();
    sending.clear();
    forget();
    known = null;
  });
}
