// Sends pictures to be searched, in groups, one group after the other; with a bar where it takes longer.

import { ask, photosOf } from "./api.js";

const SECONDS_UNTIL_BAR = 2;
const PAUSES = [1, 2, 4]; // seconds, before a full queue is asked once more
const BUSY = ["overloaded", "not_ready"];

export class Searches {
  #waiting = [];
  #control = null;

  /**
   * @param {{most: number, bytes: number}} limits photos of a request, and bytes of them
   * @param {(done: number, of: number) => void} progressed after two seconds, then after each group; (0, 0): the end
   * @param {(sheets: Sheet[]) => void} answered after each group
   */
  constructor(limits, progressed, answered) {
    Object.assign(this, { limits, progressed, answered });
  }

  /** Search sheets; those that wait already do so once. */
  ask(sheets) {
    const added = sheets.filter((sheet) => !this.#waiting.includes(sheet));
    added.forEach((sheet) => sheet.waits());
    this.#waiting.push(...added);
    if (!this.#control && this.#waiting.length) this.#run();
  }

  /** Forget a sheet that waits. */
  leaveOut(sheet) {
    this.#waiting = this.#waiting.filter((each) => each !== sheet);
  }

  cancel() {
    this.#control?.abort();
  }

  async #run() {
    const control = this.#control = new AbortController();
    let [done, sent, isSlow] = [0, 0, false];
    const tell = () => { if (isSlow) this.progressed(done, sent + this.#waiting.length); };
    const timer = setTimeout(() => { isSlow = true; tell(); }, SECONDS_UNTIL_BAR * 1000);
    while (this.#waiting.length && !control.signal.aborted) {
      const group = this.#next();
      sent += group.length;
      await this.#search(group, control.signal);
      done = sent;
      this.answered(group);
      tell();
    }
    clearTimeout(timer);
    this.#waiting.splice(0).forEach((sheet) => sheet.refuse("Cancelled.", true));
    this.#control = null;
    this.progressed(0, 0);
  }

  #next() {
    let [count, bytes] = [0, 0];
    for (const { file } of this.#waiting) {
      bytes += file.size;
      if (count === this.limits.most || (count && bytes > this.limits.bytes)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** A request is refused as a whole, so that the photos of a refused one are sent alone. */
  async #search(sheets, signal) {
    try {
      const readable = await readableOf(sheets);
      if (!readable.length) return;
      sheets = readable;
      const files = sheets.map((sheet) => sheet.file);
      const answer = await patiently(() => ask("POST", "search", { body: photosOf(files), signal }), signal);
      await Promise.all(sheets.map((sheet, index) => sheet.show(answer.photos[index], answer)));
    } catch (error) {
      if (error.status >= 400 && error.status < 500 && error.status !== 401 && sheets.length > 1) {
        for (const sheet of sheets) await this.#search([sheet], signal);
      } else {
        const canTry = !(error.status >= 400 && error.status < 500);
        sheets.forEach((sheet) => sheet.refuse(signal.aborted ? "Cancelled." : wordsOf(error), canTry));
      }
    }
  }
}

/** Those whose files are there: of a folder that was dropped, or a file that is gone, the browser gives no bytes. */
async function readableOf(sheets) {
  const isThere = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);
  const found = await Promise.all(sheets.map((sheet) => isThere(sheet.file)));
  sheets.filter((_, index) => !found[index]).forEach((sheet) => sheet.refuse("This file cannot be read.", true));
  return sheets.filter((_, index) => found[index]);
}

async function patiently(run, signal) {
  for (const pause of PAUSES) {
    try {
      return await run();
    } catch (error) {
      if (!BUSY.includes(error.code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause * 1000));
      signal.throwIfAborted();
    }
  }
  return run();
}

/** Without the number that a photo has among those of its request, which is always 1 here. */
function wordsOf(error) {
  return error.message.replace(/^Photo 1: /, "").replace(/^./, (first) => first.toUpperCase());
}
