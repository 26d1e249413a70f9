// Pictures from the camera and from a shared screen: what is seen is shown, and taken when asked for.

import { $ } from "./dom.js";
import { say } from "./words.js";

export class Capture {
  #stream = null;
  #kind = "";
  #onPicture;
  #onError;

  /** onPicture(file): a PNG file. */
  constructor({ onPicture, onError }) {
    this.#onPicture = onPicture;
    this.#onError = onError;
    $("camera").addEventListener("click", () => this.#start("camera"));
    $("screen").addEventListener("click", () => this.#start("screen"));
    $("capture-take").addEventListener("click", () => this.#take());
    $("capture-stop").addEventListener("click", () => this.stop());
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    $("capture-video").srcObject = null;
    $("capture").hidden = true;
  }

  async #start(kind) {
    this.stop();
    try {
      this.#stream = await open(kind);
    } catch (error) {
      if (error.name !== "NotAllowedError" || kind === "camera") this.#onError(say("noCapture", error.message));
      return; // who closes the browser's list of screens has changed his mind
    }
    this.#kind = kind;
    // The browser has a button of its own that ends the sharing.
    this.#stream.getVideoTracks()[0].addEventListener("ended", () => this.stop());
    const video = $("capture-video");
    video.srcObject = this.#stream;
    $("capture").hidden = false;
    $("capture-take").disabled = true; // there is no picture yet
    await video.play();
    $("capture-take").disabled = false;
    $("capture-take").focus();
  }

  async #take() {
    const video = $("capture-video");
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    this.#onPicture(new File([blob], `${this.#kind}.png`, { type: "image/png" }));
    if (this.#kind === "camera") this.stop(); // a screen goes on: the next frame is a click away
  }
}

function open(kind) {
  const devices = navigator.mediaDevices;
  if (devices === undefined) throw new Error(say("insecure"));
  return kind === "camera"
    ? devices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } })
    : devices.getDisplayMedia({ video: true });
}
