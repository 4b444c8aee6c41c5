// One picture with its faces: boxes over it, a row for each beside it, and a field for a stranger's name.

import { inGallery } from "./api.js";
import { cutFace } from "./cut.js";
import { enrol, newKey, outcomeOf, reasonOf } from "./enrol.js";
import { draw } from "./faces.js";
import { notify } from "./notices.js";
import { copyOf, partsOf, tell } from "./parts.js";
import { suggestsNames } from "./suggestions.js";
import { isTurnedWebp } from "./turned.js";

const SHADE = "rgb(0 0 0 / 55%)"; // over all but the face that is pointed at

export class Sheet {
  #parts;
  #url;
  #loaded;
  #rows = [];
  #pointed = null;
  #pressed = null;

  /**
   * @param {File} file
   * @param {{again: (sheet: Sheet) => void, removed: (sheet: Sheet) => void, named: (sheet: Sheet) => void}} on
   *   again: it is to be searched once more; named: a face of it has been enrolled.
   */
  constructor(file, on) {
    Object.assign(this, { file, on, faces: null, element: copyOf("sheet") });
    const parts = this.#parts = partsOf(this.element);
    parts.title.textContent = file.name;
    this.#url = URL.createObjectURL(file);
    parts.image.src = this.#url;
    parts.image.alt = `The photo ${file.name}`;
    const decoded = parts.image.decode().then(() => true, () => { parts.image.remove(); return false; });
    this.#loaded = Promise.all([decoded, isTurnedWebp(file)]).then(([can, isTurned]) => can && !isTurned, () => false);
    this.#loaded.then((isSeen) => { parts.picture.hidden = !isSeen; });
    parts.again.addEventListener("click", () => on.again(this));
    parts.remove.addEventListener("click", () => on.removed(this));
    new ResizeObserver(() => this.#draw()).observe(parts.image);
  }

  get hasStrangers() {
    return this.faces?.some((face) => !face.name) ?? false;
  }

  /** It is being searched. */
  waits() {
    this.#parts.problem.hidden = true;
    if (!this.faces) tell(this.#parts.words, "Looking for faces.");
  }

  /** It could not be searched; canTry: it may be another time. */
  refuse(words, canTry) {
    tell(this.#parts.problemWords, words);
    this.#parts.again.hidden = !canTry;
    this.#parts.problem.hidden = false;
    if (!this.faces) tell(this.#parts.words, "");
  }

  /**
   * @param {{width: number, height: number, faces: object[]}} photo
   * @param {{threshold: number, threshold_far: number | null}} answer that it is part of
   */
  async show(photo, answer) {
    const isSeen = await this.#loaded;
    const { image, picture, caption, found, words } = this.#parts;
    const fits = isSeen && image.naturalWidth === photo.width && image.naturalHeight === photo.height;
    picture.hidden = !fits;
    this.faces = photo.faces;
    this.size = [photo.width, photo.height];
    this.#fill(fits);
    found.hidden = !photo.faces.length;
    caption.textContent = captionOf(photo.faces, answer);
    tell(words, photo.faces.length ? (fits ? "" : "This browser does not show the picture as the service sees it.") :
      "No face was found.");
    this.#draw();
  }

  /** Let go of the picture. */
  close() {
    URL.revokeObjectURL(this.#url);
    this.element.remove();
  }

  #fill(canCut) {
    const table = this.#parts.found.querySelector("table");
    while (this.#rows.length > this.faces.length) this.#rows.pop().element.remove();
    this.faces.forEach((face, index) => {
      if (!this.#rows[index]) {
        const enrolAs = (name, key) => this.#enrol(index, name, key);
        this.#rows[index] = new Row(index, (by) => this.#point(by), enrolAs);
        table.append(this.#rows[index].element);
      }
      this.#rows[index].show(face, canCut);
    });
  }

  async #enrol(index, name, key) {
    const photo = await cutFace(this.#parts.image, this.faces[index].box);
    const done = await enrol(name, [new File([photo], `${stemOf(this.file.name)}, face ${index + 1}.png`)], key);
    notify(outcomeOf(done));
    this.on.named(this);
    return done.person.name;
  }

  #point({ index, pressed = false }) {
    if (pressed) this.#pressed = this.#pressed === index ? null : index;
    this.#pointed = index;
    this.#rows.forEach((row) => row.press(row.index === this.#pressed));
    this.#draw();
  }

  #draw() {
    const { over, picture } = this.#parts;
    if (!this.faces || picture.hidden) return;
    draw(over, this.size, this.faces);
    const face = this.faces[this.#pointed ?? this.#pressed];
    if (face) shadeAllBut(over, face.box);
  }
}

/** The rows of one face. */
class Row {
  #parts;
  #key = { name: null, key: null };
  #named = null;

  constructor(index, point, enrolAs) {
    Object.assign(this, { index, enrolAs, element: copyOf("face") });
    const parts = this.#parts = partsOf(this.element);
    parts.mark.textContent = index + 1;
    parts.mark.setAttribute("aria-label", `Show face ${index + 1} in the picture`);
    parts.mark.addEventListener("click", () => point({ index, pressed: true }));
    for (const event of ["mouseenter", "focusin"]) this.element.addEventListener(event, () => point({ index }));
    for (const event of ["mouseleave", "focusout"]) this.element.addEventListener(event, () => point({ index: null }));
    if (parts.naming) this.#asksForName();
  }

  press(isPressed) {
    this.#parts.mark.setAttribute("aria-pressed", isPressed);
  }

  show(face, canCut) {
    const parts = this.#parts;
    const hadFocus = parts.namingRow?.contains(document.activeElement);
    parts.person.hidden = !face.name;
    parts.person.textContent = face.name ?? "";
    if (face.name) parts.person.href = inGallery("/person", { name: face.name });
    tell(parts.stranger, face.name ? "" : `stranger ${this.index + 1}`);
    const nearest = face.candidates[0];
    tell(parts.nearest, face.name || !nearest ? "" : `nearest: ${nearest.name}`);
    parts.similarity.textContent = nearest ? face.similarity.toFixed(3) : "–";
    tell(parts.runnerUp, face.runner_up ? `${face.runner_up.name} ${face.runner_up.similarity.toFixed(3)}` : "–");
    tell(parts.margin, face.margin === null ? "" : `margin ${face.margin.toFixed(3)}`);
    parts.score.textContent = `score ${face.score.toFixed(3)}`;
    this.#showLiveness(face.liveness);
    if (!parts.namingRow) return;
    parts.namingRow.hidden = Boolean(face.name) || !canCut;
    tell(parts.refusal, this.#named && face.name !== this.#named ? unlike(this.#named, face) : "");
    if (hadFocus && face.name) parts.person.focus();
  }

  #showLiveness(liveness) {
    const { liveness: badge, livenessWords } = this.#parts;
    tell(badge, liveness ? (liveness.live ? "live" : "not live") : "");
    badge.classList.toggle("good", Boolean(liveness?.live));
    badge.classList.toggle("warning", liveness?.live === false);
    tell(livenessWords, liveness?.reason);
  }

  #asksForName() {
    const { naming, name, label, enrol: button, refusal } = this.#parts;
    name.id = `name-${newKey()}`;
    label.htmlFor = name.id;
    label.textContent = `Name of stranger ${this.index + 1}`;
    suggestsNames(name);
    naming.addEventListener("submit", async (event) => {
      event.preventDefault();
      const wanted = name.value.trim();
      if (!wanted || button.disabled) return;
      button.disabled = true;
      tell(refusal, "");
      try {
        this.#named = await this.enrolAs(wanted, this.#keyFor(wanted));
      } catch (error) {
        tell(refusal, reasonOf(error));
        name.focus();
      } finally {
        button.disabled = false;
      }
    });
  }

  /** The same for a name that is sent again, because no answer came. */
  #keyFor(name) {
    if (this.#key.name !== name) this.#key = { name, key: newKey() };
    return this.#key.key;
  }
}

function shadeAllBut(canvas, [x1, y1, x2, y2]) {
  const pen = canvas.getContext("2d");
  const around = new Path2D();
  around.rect(0, 0, canvas.width, canvas.height);
  around.rect(x1, y1, x2 - x1, y2 - y1);
  pen.fillStyle = SHADE;
  pen.fill(around, "evenodd");
}

function captionOf(faces, { threshold, threshold_far: far }) {
  const measured = far === null ? "nobody measured its false accept rate" :
    `false accept rate ${Number((100 * far).toPrecision(3))}\u00a0%`;
  const count = faces.length === 1 ? "1 face" : `${faces.length} faces`;
  return `${count}. Threshold ${threshold.toFixed(3)}, ${measured}.`;
}

function unlike(name, face) {
  return `Enrolled as ${name}, and not recognised as ${name} (similarity ${face.similarity.toFixed(3)}).`;
}

function stemOf(name) {
  return name.replace(/\.[^.]*$/, "");
}
