// Who is before the camera, as it runs: boxes and names over the picture, which can be stopped to look closer.

import { CameraPlace } from "./camera_place.js";
import { draw } from "./faces.js";
import { Speaker } from "./speaker.js";

const AWAY = 5; // seconds out of sight after which somebody counts as having come anew
const SAID_EVERY = 3; // seconds
const RATE_OVER = 3; // seconds of which the frame rate is told

export class RecognizeCamera {
  #frozen = null; // the sheet of a picture that was stopped
  #seen = new Map();
  #times = [];

  /** @param {Photos} photos makes the sheets of pictures that are stopped */
  constructor(place, photos) {
    this.photos = photos;
    this.place = new CameraPlace(place, "recognize", {
      answered: (answer) => this.#show(answer),
      changed: (isOn) => this.#changed(isOn),
      stalled: () => { this.#times = []; },
    });
    const parts = this.parts = this.place.parts;
    this.speaker = new Speaker(parts.heard, SAID_EVERY, true);
    parts.freeze.addEventListener("click", () => this.#freeze());
    parts.goOn.addEventListener("click", () => this.#goOn());
  }

  stop(words) {
    this.place.stop(words);
  }

  /** A picture that was stopped stays when the camera is stopped. */
  #changed(isOn) {
    const { over, inSight, rate } = this.parts;
    if (isOn) this.#thaw();
    this.#times = [];
    inSight.textContent = rate.textContent = "";
    draw(over, [1, 1], []);
    this.parts.freeze.hidden = !isOn;
    this.parts.goOn.hidden = true;
  }

  #show({ size, faces, seconds }) {
    const { over, inSight, rate } = this.parts;
    draw(over, size, faces);
    inSight.textContent = inSightOf(faces);
    rate.textContent = this.#rate(seconds);
    this.#announce(faces.map((face) => face.name).filter(Boolean));
  }

  #rate(seconds) {
    const now = performance.now() / 1000;
    this.#times = [...this.#times.filter((time) => now - time < RATE_OVER), now];
    const [first] = this.#times;
    const perSecond = this.#times.length > 1 ? (this.#times.length - 1) / (now - first) : 0;
    const time = new Date().toLocaleTimeString();
    const taken = Math.round(1000 * seconds);
    return `${perSecond.toFixed(1)} frames a second. The last at ${time}, looked at in ${taken} ms.`;
  }

  #announce(names) {
    const now = performance.now() / 1000;
    const come = names.filter((name) => now - (this.#seen.get(name) ?? -Infinity) > AWAY);
    names.forEach((name) => this.#seen.set(name, now));
    new Set(come).forEach((name) => this.speaker.say(name));
  }

  async #freeze() {
    const file = await this.place.camera.still();
    if (!file) return;
    this.place.live.stop();
    this.#frozen = this.photos.elsewhere(file, () => this.#goOn());
    this.parts.frozen.append(this.#frozen.element);
    this.parts.view.hidden = this.parts.freeze.hidden = true;
    this.parts.goOn.hidden = false;
    this.parts.goOn.focus();
    this.place.tell("The picture is stopped.");
  }

  #goOn() {
    this.#thaw();
    if (!this.place.camera.isOn) return;
    this.#changed(true);
    this.parts.view.hidden = false;
    this.parts.freeze.focus();
    this.place.tell("");
    this.place.live.start();
  }

  #thaw() {
    if (this.#frozen) this.photos.forget(this.#frozen);
    this.#frozen = null;
  }
}

function inSightOf(faces) {
  const names = faces.filter((face) => face.name).map((face) => `${face.name} (${face.similarity.toFixed(2)})`);
  const strangers = faces.length - names.length;
  const all = [...names, ...(strangers ? [strangers === 1 ? "a stranger" : `${strangers} strangers`] : [])];
  return all.length ? `In the picture: ${all.join(", ")}` : "Nobody is in the picture.";
}
