// The pictures and sounds of a conversation: records {id, conversation, kind, name, blob, reading} and what is made of them.

/** The kind of a file by its type and name, or null. The server looks at the bytes. */
export function kindOf({ type, name }) {
  if (type.startsWith("image/")) return "picture";
  if (type.startsWith("audio/") || /\.(webm|m4a|ogg|opus|flac|wav|mp3)$/i.test(name)) return "sound";
  return null;
}

export function dataUriOf(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}

/** The bytes of a base64 data URI. Not by fetch: the page may connect to its own server alone. */
export function blobOf(dataUri) {
  const [head, data] = dataUri.split(",", 2);
  const type = /^data:([\w/+.-]+);base64$/.exec(head)?.[1];
  if (!type) throw new TypeError("data");
  return new Blob([Uint8Array.from(atob(data), (character) => character.charCodeAt(0))], { type });
}

/** Object URLs by file, each made once. */
export class FileUrls {
  #urls = new Map();

  of({ id, blob }) {
    if (!this.#urls.has(id)) this.#urls.set(id, URL.createObjectURL(blob));
    return this.#urls.get(id);
  }

  clear() {
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
    this.#urls.clear();
  }
}
