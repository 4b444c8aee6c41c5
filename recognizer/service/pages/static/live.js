// Sends the pictures of a camera over /v1/live, each after the answer to the one before, and connects again when the
// connection is lost. See docs/live.md.

import { address, ask } from "./api.js";

const PAUSES = [0.5, 1, 2, 5, 10]; // seconds, before it is tried again
const ANSWER_SECONDS = 15; // then the connection counts as lost
const BUSY_SECONDS = 1; // before the next picture, where the service does not say how long
const LOST = {
  1000: "The service had heard nothing for too long.",
  1012: "The service is being started anew.",
  1013: "The service has too much to do.",
};
const ENDED = {
  1003: "The service did not take the picture.",
  1008: "The service did not take the picture.",
  1009: "The picture is too large for the service.",
  4401: "You are not signed in any more. Sign in again.",
  4403: "Your key does not allow this any more.",
};

export class Live {
  #socket = null;
  #lost = 0;
  #timer = null;

  /**
   * @param {"recognize" | "enrol"} task
   * @param {() => Promise<Blob | null>} picture the next one, JPEG; null: the camera is off
   * @param {{answered: (answer: object) => void, told: (words: string) => void, ended: (words: string) => void}} on
   *   answered: of each picture; told: what is going on, "" when all is well; ended: it does not try again.
   */
  constructor(task, picture, on) {
    Object.assign(this, { task, picture, on });
  }

  start() {
    this.stop();
    this.#lost = 0;
    this.#connect();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
  }

  #connect() {
    const url = new URL(address("live", { task: this.task }), location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = this.#socket = new WebSocket(url);
    let wasOpen = false;
    socket.addEventListener("open", () => { wasOpen = true; this.#send(socket); });
    socket.addEventListener("message", (event) => this.#take(socket, JSON.parse(event.data)));
    socket.addEventListener("close", (event) => this.#closed(socket, event, wasOpen));
  }

  async #send(socket) {
    const picture = await this.picture();
    if (socket !== this.#socket || socket.readyState !== WebSocket.OPEN || !picture) return;
    socket.send(picture);
    this.#within(ANSWER_SECONDS, () => socket.close());
  }

  #take(socket, answer) {
    if (socket !== this.#socket) return;
    this.#lost = 0;
    if (answer.code) {
      this.on.told(answer.message);
      this.#within(answer.details?.retry_after ?? BUSY_SECONDS, () => this.#send(socket));
      return;
    }
    clearTimeout(this.#timer);
    this.on.told("");
    this.on.answered(answer);
    this.#send(socket);
  }

  async #closed(socket, event, wasOpen) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#timer);
    const words = wasOpen ? ENDED[event.code] : await refusal();
    if (socket !== this.#socket) return; // stopped meanwhile
    if (words) {
      this.stop();
      this.on.ended(event.reason && event.code === 1008 ? `${words} (${event.reason})` : words);
      return;
    }
    const pause = PAUSES[Math.min(this.#lost, PAUSES.length - 1)];
    this.#lost += 1;
    this.on.told(`${LOST[event.code] ?? "The connection is lost."} Trying again in ${pause} s.`);
    this.#within(pause, () => this.#connect());
  }

  #within(seconds, run) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, seconds * 1000);
  }
}

/** Why the service lets no connection begin, which browsers keep to themselves; null where it may be tried again. */
async function refusal() {
  try {
    await ask("GET", "people", { query: { limit: 1 } });
    return null;
  } catch (error) {
    return [401, 403, 404].includes(error.status) ? error.message : null;
  }
}
