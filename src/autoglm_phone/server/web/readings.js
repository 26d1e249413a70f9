// What was read on pictures. It is asked for as soon as a picture is attached: the server reads while the question is
// still being written, and finds its own reading again when the question comes.

import { readPicture } from "./api.js";
import { dataUriOf } from "./files.js";

export class Readings {
  #key;
  #keep;
  #begun = new Map();

  /** keep(file): called when its reading has come. */
  constructor(key, keep) {
    this.#key = key;
    this.#keep = keep;
  }

  begin(file) {
    if (!this.#begun.has(file.id)) this.#begun.set(file.id, this.#read(file));
  }

  /** {lines, seconds}, or null where nothing was read. */
  async of(file) {
    return file?.reading ?? (await this.#begun.get(file?.id)) ?? null;
  }

  async #read(file) {
    try {
      file.reading = await readPicture(await dataUriOf(file.blob), this.#key());
      await this.#keep(file);
      return file.reading;
    } catch {
      this.#begun.delete(file.id);
      return null; // the answer to the question will say what is wrong with the picture
    }
  }
}
