// Shots of a camera for enrolment: what to do before one is taken, then the shot, which is enrolled at once.
// templates/_enrol_camera.html says how a page uses it.

import { CameraPlace } from "./camera_place.js";
import { enrol, newKey, outcomeOf, reasonOf } from "./enrol.js";
import { Speaker } from "./speaker.js";

const SAID_EVERY = 2; // seconds
const READY_SECONDS = 1; // before a shot by itself
const BETWEEN = 1; // seconds more, between two of them
const MOST = 5; // shots by themselves, one after the other
const READY = "Ready";
const WHY = "The button works as soon as nothing stands in the way of a good photo.";
const GOOD = "#2fbf71";
const AMISS = "#ffb020";

class EnrolCamera {
  #isReady = false;
  #readySince = null;
  #automatic = 0;
  #uploads = Promise.resolve();

  constructor(element) {
    this.element = element;
    this.place = new CameraPlace(element, "enrol", {
      answered: (answer) => this.#advise(answer),
      changed: () => this.#wait(),
      stalled: () => this.#wait(),
    });
    const parts = this.parts = this.place.parts;
    this.speaker = new Speaker(parts.heard, SAID_EVERY, false);
    parts.why.id = `why-${newKey()}`;
    parts.why.textContent = WHY;
    parts.shoot.setAttribute("aria-describedby", parts.why.id);
    parts.shoot.addEventListener("click", () => this.#shoot());
    parts.automatic.addEventListener("change", () => { this.#automatic = 0; });
    element.closest("dialog")?.addEventListener("close", () => parts.shots.replaceChildren());
  }

  #advise({ size, faces, chosen, ready, advice }) {
    const words = ready ? `${READY}. Hold still.` : advice.map((each) => each.message).join(" ");
    this.#set(ready, words);
    this.speaker.say(words);
    mark(this.parts.over, size, faces[chosen]?.box, ready);
    this.#shootByItself(ready);
  }

  #wait() {
    this.#set(false, "");
    this.#readySince = null;
    mark(this.parts.over, [1, 1], null, false);
  }

  #set(isReady, words) {
    const { advice, shoot, why } = this.parts;
    this.#isReady = isReady;
    advice.textContent = words;
    advice.classList.toggle("good", isReady);
    shoot.setAttribute("aria-disabled", !isReady);
    why.hidden = isReady;
  }

  #shootByItself(isReady) {
    const now = performance.now() / 1000;
    this.#readySince = isReady ? this.#readySince ?? now : null;
    if (!this.parts.automatic.checked || !isReady || now - this.#readySince < READY_SECONDS) return;
    this.#readySince = now + BETWEEN;
    this.#shoot();
    this.#automatic += 1;
    if (this.#automatic < MOST) return;
    this.parts.automatic.checked = false;
    this.#automatic = 0;
    this.place.tell(`${MOST} photos were taken.`);
  }

  async #shoot() {
    if (!this.#isReady) return;
    const file = await this.place.camera.still();
    if (!file) return;
    const shot = new Shot(file);
    this.parts.shots.prepend(shot.element);
    const name = this.#name();
    if (name) this.#send(shot, name);
    else this.#handOver(shot);
  }

  #send(shot, name) {
    this.#uploads = this.#uploads.then(async () => {
      const answer = await shot.enrolAs(name, () => this.#send(shot, name));
      if (answer) this.#say("enrolled", answer);
    });
  }

  #handOver(shot) {
    shot.tell("Taken");
    this.#say("photo", { file: shot.file });
  }

  #say(event, detail) {
    this.element.dispatchEvent(new CustomEvent(event, { detail, bubbles: true }));
  }

  #name() {
    const { name, nameInput } = this.element.dataset;
    return name ?? (nameInput ? document.querySelector(nameInput).value.trim() : "");
  }
}

/** A photo that was taken, and what became of it. */
class Shot {
  #key = newKey();

  constructor(file) {
    this.file = file;
    this.element = document.createElement("li");
    this.element.className = "face";
    const image = document.createElement("img");
    image.alt = "";
    image.src = URL.createObjectURL(file);
    this.words = document.createElement("p");
    this.words.className = "words";
    this.words.setAttribute("aria-live", "polite");
    this.element.append(image, this.words);
  }

  tell(text) {
    this.words.textContent = text;
  }

  /** @returns the answer; null where it was refused, or could not be sent, which again() repeats */
  async enrolAs(name, again) {
    this.tell("Sending");
    try {
      const answer = await enrol(name, [this.file], this.#key);
      this.tell(outcomeOf(answer));
      return answer;
    } catch (error) {
      this.tell(`Not enrolled. ${reasonOf(error)}`);
      if (!(error.status >= 400 && error.status < 500)) this.words.append(" ", againButton(again));
      return null;
    }
  }
}

function againButton(run) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = "Try again";
  button.addEventListener("click", run, { once: true });
  return button;
}

/** The box of the face that would be enrolled. */
function mark(canvas, [width, height], box, isReady) {
  canvas.width = width;
  canvas.height = height;
  if (!box) return;
  const [x1, y1, x2, y2] = box;
  const pen = canvas.getContext("2d");
  const scale = Math.max(1, width / (canvas.clientWidth || width));
  pen.lineWidth = 4 * scale;
  pen.strokeStyle = isReady ? GOOD : AMISS;
  pen.setLineDash(isReady ? [] : [10 * scale, 8 * scale]);
  pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
  if (isReady) label(pen, READY, x1, y1, scale);
}

function label(pen, words, x, y, scale) {
  pen.font = `600 ${16 * scale}px system-ui, sans-serif`;
  const [room, tall] = [pen.measureText(words).width + 12 * scale, 24 * scale];
  pen.fillStyle = GOOD;
  pen.fillRect(x, Math.max(0, y - tall), room, tall);
  pen.fillStyle = "#08121f";
  pen.textBaseline = "top";
  pen.fillText(words, x + 6 * scale, Math.max(0, y - tall) + 4 * scale);
}

/** Make those work that are in a part of the page. */
function begin(part) {
  for (const element of part.querySelectorAll("[data-enrol-camera]:not([data-works])")) {
    element.dataset.works = "";
    new EnrolCamera(element);
  }
}

begin(document);
document.body.addEventListener("htmx:load", (event) => begin(event.detail.elt.parentElement ?? document));
