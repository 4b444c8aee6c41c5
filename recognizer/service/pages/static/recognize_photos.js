// The photos that were given to the page, the latest first, and how their search goes.

import { partsOf } from "./parts.js";
import { Searches } from "./searches.js";
import { Sheet } from "./sheet.js";

export class Photos {
  #sheets = [];
  #others = new Set();

  constructor(place) {
    const parts = this.parts = partsOf(place);
    const limits = { most: Number(place.dataset.mostPhotos), bytes: Number(place.dataset.mostBytes) };
    this.searches = new Searches(limits, (done, of) => this.#progressed(done, of), () => this.#summarise());
    parts.cancel.addEventListener("click", () => this.searches.cancel());
    parts.clear.addEventListener("click", () => {
      [...this.#sheets].forEach((sheet) => this.#remove(sheet));
      document.getElementById("files").focus();
    });
  }

  /** @param {File[]} files */
  add(files) {
    const made = files.map((file) => this.#make(file, (sheet) => this.#remove(sheet)));
    this.#sheets.unshift(...made);
    this.parts.sheets.prepend(...made.map((sheet) => sheet.element));
    this.#summarise();
    this.searches.ask(made);
  }

  /** A sheet that stands elsewhere on the page, and is asked again with the others; removed: its button was pressed. */
  elsewhere(file, removed) {
    const sheet = this.#make(file, removed);
    this.#others.add(sheet);
    this.searches.ask([sheet]);
    return sheet;
  }

  /** Let go of a sheet that stands elsewhere. */
  forget(sheet) {
    this.#others.delete(sheet);
    this.#close(sheet);
  }

  #make(file, removed) {
    return new Sheet(file, {
      removed,
      again: (sheet) => this.searches.ask([sheet]),
      named: () => this.searches.ask([...this.#sheets, ...this.#others].filter((sheet) => sheet.hasStrangers)),
    });
  }

  #remove(sheet) {
    const at = this.#sheets.indexOf(sheet);
    this.#sheets.splice(at, 1);
    const next = this.#sheets[Math.min(at, this.#sheets.length - 1)];
    this.#close(sheet);
    this.#summarise();
    (next?.element.querySelector("[data-part=remove]") ?? document.getElementById("files")).focus();
  }

  #close(sheet) {
    this.searches.leaveOut(sheet);
    sheet.close();
  }

  #progressed(done, of) {
    const { progress, progressWords, bar } = this.parts;
    progress.hidden = of === 0;
    bar.max = Math.max(of, 1);
    bar.value = done;
    progressWords.textContent = `Looking at photos: ${done} of ${of}`;
  }

  #summarise() {
    const searched = this.#sheets.filter((sheet) => sheet.faces);
    const faces = searched.flatMap((sheet) => sheet.faces);
    const known = faces.filter((face) => face.name).length;
    const words = `${counted(searched.length, "photo")}, ${counted(faces.length, "face")}: ${known} known, ` +
      `${counted(faces.length - known, "stranger")}.`;
    this.parts.summary.textContent = searched.length ? words : "";
    this.parts.clear.hidden = !this.#sheets.length;
  }
}

function counted(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}
