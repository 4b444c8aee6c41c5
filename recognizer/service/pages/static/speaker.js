// Says things to screen readers without drowning them: at most once in some seconds.

export class Speaker {
  #waiting = [];
  #timer = null;
  #last = "";

  /**
   * @param {HTMLElement} region with aria-live
   * @param {number} seconds between two sayings
   * @param {boolean} keeps whether all that comes meanwhile is said, or the latest alone
   */
  constructor(region, seconds, keeps) {
    Object.assign(this, { region, seconds, keeps });
  }

  say(text) {
    this.#waiting = this.keeps ? [...this.#waiting, text] : [text];
    this.#timer ??= setTimeout(() => this.#speak(), 0);
  }

  #speak() {
    const text = this.#waiting.splice(0).join(", ");
    this.#timer = null;
    if (!this.keeps && text === this.#last) return;
    this.region.textContent = this.#last = text;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#waiting.length) this.#speak();
    }, this.seconds * 1000);
  }
}
