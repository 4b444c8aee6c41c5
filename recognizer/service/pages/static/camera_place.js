// A part of a page with a camera: buttons that start and stop it, a choice where there are several, its picture, and
// words on what is going on. While it runs, its pictures go to the service one by one.

import { Camera, NoCamera } from "./camera.js";
import { Live } from "./live.js";
import { partsOf } from "./parts.js";

const TAKEN = "The camera was taken away. Connect it, then start it again.";

export class CameraPlace {
  /**
   * @param {HTMLElement} place with the parts start, stop, choice, cameras, words, view and video
   * @param {"recognize" | "enrol"} task of the live connection
   * @param {{answered: (answer: object) => void, changed: (isOn: boolean) => void, stalled: () => void}} on
   *   answered: of each picture; changed: the camera is on, or off; stalled: no answers come for the time being.
   */
  constructor(place, task, on) {
    const parts = this.parts = partsOf(place);
    this.on = on;
    this.camera = new Camera(parts.video, () => this.stop(TAKEN));
    this.live = new Live(task, () => this.#picture(place), {
      answered: on.answered,
      told: (words) => { this.tell(words); if (words) on.stalled(); },
      ended: (words) => this.stop(words),
    });
    parts.start.addEventListener("click", () => this.start());
    parts.stop.addEventListener("click", () => { this.stop("The camera is off."); parts.start.focus(); });
    parts.cameras.addEventListener("change", () => this.start(parts.cameras.value));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.stop("The camera was stopped while this page was not in view.");
    });
    place.closest("dialog")?.addEventListener("close", () => this.stop(""));
  }

  async start(device = null) {
    const isByButton = document.activeElement === this.parts.start;
    this.live.stop();
    this.tell("Starting the camera.");
    try {
      if (!(await this.camera.start(device))) return; // stopped meanwhile
      await this.#offer();
    } catch (error) {
      this.#off(error instanceof NoCamera ? error.message : "The camera cannot be used.");
      return;
    }
    this.#show(true);
    if (isByButton) this.parts.stop.focus();
    this.live.start();
  }

  /** Where it is off already nothing happens. */
  stop(words) {
    if (this.camera.isUsed || !this.parts.view.hidden) this.#off(words);
  }

  tell(words) {
    if (this.parts.words.textContent !== words) this.parts.words.textContent = words;
  }

  #off(words) {
    this.live.stop();
    this.camera.stop();
    this.parts.choice.hidden = true;
    this.#show(false);
    this.tell(words);
  }

  #show(isOn) {
    this.parts.start.hidden = isOn;
    this.parts.stop.hidden = this.parts.view.hidden = !isOn;
    this.on.changed(isOn);
  }

  async #offer() {
    const choices = await this.camera.choices();
    this.parts.cameras.replaceChildren(
      ...choices.map(({ device, name, isUsed }) => new Option(name, device, isUsed, isUsed)),
    );
    this.parts.choice.hidden = choices.length < 2;
  }

  #picture(place) {
    if (place.isConnected) return this.camera.picture();
    this.stop(""); // another page is shown
    return null;
  }
}
