// Conversations to a file and back. A file may come from anybody: it is taken apart field by field.

import { newId } from "./conversation.js";
import { blobOf, dataUriOf } from "./files.js";

const FORMAT = "autoglm-phone-conversations";
const VERSION = 1;

/** All of a library as JSON; pictures and sounds as data URIs. */
export async function exported(library) {
  const conversations = await library.all();
  const files = (await Promise.all(conversations.map(({ id }) => library.filesOf(id)))).flat();
  const written = files.map(async ({ blob, ...file }) => ({ ...file, data: await dataUriOf(blob) }));
  return JSON.stringify({ format: FORMAT, version: VERSION, conversations, files: await Promise.all(written) });
}

/** Adds the conversations under new ids, so that none is overwritten. Returns how many. Throws what is wrong. */
export async function imported(text, library) {
  const given = JSON.parse(text);
  if (given?.format !== FORMAT || !Array.isArray(given.conversations)) throw new TypeError("format");
  const files = new Map((given.files ?? []).map((file) => [file.id, file]));
  for (const one of given.conversations) await keep(one, files, library);
  return given.conversations.length;
}

async function keep(given, files, library) {
  const conversation = {
    id: newId(),
    title: String(given.title),
    created: Number(given.created) || Date.now(),
    changed: Number(given.changed) || Date.now(),
    leaf: String(given.leaf),
    nodes: {},
  };
  for (const node of Object.values(given.nodes)) {
    const kept = [];
    for (const { id } of node.files ?? []) {
      const file = files.get(id);
      if (file) kept.push(await keepFile(file, conversation.id, library));
    }
    conversation.nodes[String(node.id)] = {
      id: String(node.id),
      parent: node.parent === null ? null : String(node.parent),
      role: node.role === "user" ? "user" : "assistant",
      text: String(node.text ?? ""),
      thought: String(node.thought ?? ""),
      failure: String(node.failure ?? ""),
      note: noteOf(node.note),
      files: kept,
    };
  }
  if (!isTree(conversation)) throw new TypeError("tree");
  await library.put(conversation);
}

async function keepFile(given, conversation, library) {
  const file = {
    id: newId(),
    conversation,
    kind: given.kind === "sound" ? "sound" : "picture",
    name: String(given.name),
    blob: blobOf(String(given.data)),
    reading: null,
  };
  await library.putFile(file);
  return { id: file.id, kind: file.kind, name: file.name };
}

const noteOf = (note) =>
  note && Object.fromEntries(Object.entries(note).map(([name, value]) => [name, typeof value === "number" ? value : Boolean(value)]));

/** Every way up ends at a first message. */
function isTree({ nodes, leaf }) {
  const ends = (node) => {
    let steps = Object.keys(nodes).length;
    for (let at = node; at.parent !== null; at = nodes[at.parent]) if (!nodes[at.parent] || steps-- === 0) return false;
    return true;
  };
  return leaf in nodes && Object.values(nodes).every(ends);
}
