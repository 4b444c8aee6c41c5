// A camera of this machine in a <video>, and its pictures as JPEG.

const LONGEST = 960; // pixels of the longer side of pictures that are sent while the camera runs
const QUALITY = 0.85;
const WANTED = { width: { ideal: 1280 }, height: { ideal: 720 } };
const STILL = 0.95; // the quality of a picture that is looked at for longer, in the camera's own size
const WORDS = {
  NotAllowedError: "The browser may not use the camera. Allow it for this address in the browser's settings, and in " +
    "those of the system, then start the camera again.",
  NotFoundError: "There is no camera. Connect one, then start the camera again.",
  OverconstrainedError: "This camera is not there any more. Choose another one.",
  NotReadableError: "The camera cannot be read. Close other programs that use it, then start the camera again.",
};
const UNSAFE = "Browsers give the camera to pages over https alone, or to those of this machine: open this page over " +
  "https, or as localhost.";

/** Why there is no picture, in words for the person before it. */
export class NoCamera extends Error {}

export class Camera {
  #stream = null;
  #turn = 0;
  #isStarting = false;
  #canvas = document.createElement("canvas");

  /**
   * @param {HTMLVideoElement} video
   * @param {() => void} lost called when the camera is taken away
   */
  constructor(video, lost) {
    Object.assign(this, { video, lost });
  }

  get isOn() {
    return this.#stream !== null;
  }

  /** Whether it is on, or about to be. */
  get isUsed() {
    return this.isOn || this.#isStarting;
  }

  /** @returns {Promise<boolean>} whether it is on: it may have been stopped meanwhile. Throws NoCamera. */
  async start(device = null) {
    this.stop();
    const turn = this.#turn;
    if (!navigator.mediaDevices?.getUserMedia) throw new NoCamera(UNSAFE);
    const wanted = device ? { ...WANTED, deviceId: { exact: device } } : WANTED;
    this.#isStarting = true;
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false }).catch((error) => error);
    if (turn !== this.#turn) {
      if (stream instanceof MediaStream) stopped(stream);
      return false;
    }
    this.#isStarting = false;
    if (!(stream instanceof MediaStream)) {
      throw new NoCamera(WORDS[stream.name] ?? `The camera cannot be used (${stream.name}).`);
    }
    this.#stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => {
      if (this.#stream !== stream) return;
      this.stop();
      this.lost();
    });
    this.video.srcObject = stream;
    await this.video.play().catch(() => null); // stopped meanwhile
    return this.#stream === stream;
  }

  stop() {
    this.#turn += 1;
    this.#isStarting = false;
    if (this.#stream) stopped(this.#stream);
    this.#stream = null;
    this.video.srcObject = null;
  }

  /** Cameras to choose from; which have names once one was allowed. */
  async choices() {
    const all = await navigator.mediaDevices.enumerateDevices();
    const used = this.#stream?.getVideoTracks()[0].getSettings().deviceId;
    return all.filter((each) => each.kind === "videoinput").map(({ deviceId, label }, index) =>
      ({ device: deviceId, name: label || `Camera ${index + 1}`, isUsed: deviceId === used }));
  }

  /** @returns {Promise<Blob | null>} what it sees now, JPEG, at most LONGEST pixels a side; null where it is off */
  picture() {
    return this.#taken(LONGEST, QUALITY);
  }

  /** @returns {Promise<File | null>} the same in the camera's own size, as a file */
  async still() {
    const taken = await this.#taken(Infinity, STILL);
    return taken && new File([taken], `camera ${new Date().toTimeString().slice(0, 8)}.jpg`, { type: taken.type });
  }

  async #taken(longest, quality) {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!this.isOn || !width) return null;
    const scale = Math.min(1, longest / Math.max(width, height));
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    this.#canvas.getContext("2d").drawImage(this.video, 0, 0, this.#canvas.width, this.#canvas.height);
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/jpeg", quality));
  }
}

function stopped(stream) {
  stream.getTracks().forEach((track) => track.stop());
}
