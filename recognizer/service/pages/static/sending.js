// Photos on their way: each is sent by itself, so that each has an outcome of its own, which a list shows.
// What stops one for another reason than the photo stops the rest, which stay in the list to be sent again.

import { Refused, askAt, inGallery, photosOf } from "./api.js";
import { newKey, reasonOf } from "./enrol.js";

const OF_THE_PHOTO = new Set(["nothing_enrolled", "bad_picture", "no_face", "too_large", "too_slow"]);

/** Photos of a person who is there. The address holds the name as a value: browsers take "." in a path for a folder. */
export function addPhotos(name, files, { mode = "add", version = "*", key = newKey() } = {}) {
  const headers = { "If-Match": version, "Idempotency-Key": key };
  return askAt("POST", inGallery("/person/photos", { name, mode }), { body: photosOf(files), headers });
}

export class Sending {
  #rows = [];
  #list;
  #bar;
  #status;
  #mostBytes;

  /**
   * @param {HTMLElement} place holds what templates/_drop.html makes
   * @param {number} mostBytes of a photo
   */
  constructor(place, mostBytes) {
    this.#list = place.querySelector(".outcomes");
    this.#bar = place.querySelector("progress");
    this.#status = place.querySelector(".sending");
    this.#mostBytes = mostBytes;
  }

  /** Photos that were not sent yet. */
  get left() {
    return this.#rows.filter((row) => !row.isDone).map((row) => row.file);
  }

  /** Put photos into the list. */
  take(files) {
    for (const file of files) this.#rows.push(this.#row(file));
  }

  /** Say something of all of them. */
  say(words) {
    this.#status.textContent = words;
  }

  /** Forget all of them. */
  clear() {
    this.#rows = [];
    this.#list.replaceChildren();
    this.say("");
  }

  /**
   * @param {(file: File, key: string) => Promise<object>} send answers with REST's enrolment
   * @returns how many were stored; throws Refused where the rest is left
   */
  async each(send) {
    const rows = this.#rows.filter((row) => !row.isDone);
    let stored = 0;
    await this.#watched(rows, async (step) => {
      for (const row of rows) {
        stored += await this.#one(row, send);
        step();
      }
    });
    this.say(summary(stored, rows.length - stored));
    return stored;
  }

  /**
   * All in one request, which stores all that can be used, or nothing.
   *
   * @param {(files: File[]) => Promise<object>} send answers with REST's enrolment
   * @returns how many were stored; throws Refused where nothing was
   */
  async together(send) {
    const rows = this.#rows.filter((row) => !row.isDone);
    const answer = await this.#watched(rows, () => send(rows.map((row) => row.file)));
    for (const row of rows) settle(row, forFile(answer, row.file));
    const stored = Object.values(answer.added).reduce((sum, each) => sum + each, 0);
    this.say(summary(stored, answer.refused.length));
    return stored;
  }

  async #one(row, send) {
    if (row.file.size > this.#mostBytes) {
      refuse(row, `It has more than ${Math.floor(this.#mostBytes / 2 ** 20)} MB.`);
      return 0;
    }
    try {
      settle(row, await send(row.file, row.key));
      return 1;
    } catch (error) {
      if (!(error instanceof Refused) || !OF_THE_PHOTO.has(error.code)) throw error;
      refuse(row, reasonOf(error));
      return 0;
    }
  }

  async #watched(rows, work) {
    this.say(rows.length === 1 ? "Sending the photo." : `Sending ${rows.length} photos.`);
    for (const row of rows) tell(row, "waits");
    Object.assign(this.#bar, { max: rows.length, value: 0, hidden: false });
    try {
      return await work(() => { this.#bar.value += 1; });
    } catch (error) {
      for (const row of rows) if (!row.isDone) tell(row, "not sent");
      this.say(error.message);
      throw error;
    } finally {
      this.#bar.hidden = true;
    }
  }

  #row(file) {
    const item = document.createElement("li");
    const name = document.createElement("bdi");
    const words = document.createElement("span");
    name.textContent = file.name;
    words.textContent = "waits";
    item.append(name, ": ", words);
    this.#list.append(item);
    return { file, words, key: newKey(), isDone: false };
  }
}

function settle(row, answer) {
  if (answer.refused.length) return refuse(row, answer.refused.map((each) => each.reason).join("; "));
  row.isDone = true;
  tell(row, answer.notes.length ? "stored, but look at it" : "stored", answer.notes.length ? "doubtful" : "good");
  for (const note of answer.notes) row.words.append(remark(note));
}

function refuse(row, reason) {
  row.isDone = true;
  tell(row, `not used. ${reason}`, "bad");
}

function tell(row, words, kind = "") {
  row.words.textContent = words;
  row.words.className = kind;
}

function remark(note) {
  const line = document.createElement("span");
  line.className = "remark";
  line.textContent = note.reason;
  if (note.near) {
    const link = document.createElement("a");
    link.href = inGallery("/person", { name: note.near });
    link.textContent = `Show ${note.near}`;
    line.append(" ", link);
  }
  return line;
}

/** What an enrolment of several photos says of one; each is called by the name of its file, without what is hidden in it. */
function forFile(answer, file) {
  const isOf = (each) => each.source === file.name.trim();
  return { refused: answer.refused.filter(isOf), notes: answer.notes.filter(isOf) };
}

function summary(stored, refused) {
  return [`${stored} stored`, ...(refused ? [`${refused} not used`] : [])].join(", ") + ".";
}
