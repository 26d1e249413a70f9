// Conversations to a file and back. A file may come from anybody: it is taken apart field by field.

import { newId } from "./conversation.js";
import { blobOf, dataUriOf } from "./files.js";

const FORMAT = "autoglm-phone-conversations";
const VERSION = 1;
const MAX_TITLE_CHARS = 80;

/** All of a library as JSON; pictures and sounds as data URIs. */
export async function exported(library) {
  const conversations = await library.all();
  const files = (await Promise.all(conversations.map(({ id }) => library.filesOf(id)))).flat();
  const written = files.map(async ({ blob, ...file }) => ({ ...file, data: await dataUriOf(blob) }));
  return JSON.stringify({ format: FORMAT, version: VERSION, conversations, files: await Promise.all(written) });
}

/** Adds the conversations under new ids, so that none is overwritten. Returns how many. Throws what is wrong: then none. */
export async function imported(text, library) {
  const given = JSON.parse(text);
  if (given?.format !== FORMAT || !Array.isArray(given.conversations)) throw new TypeError("format");
  const files = new Map((given.files ?? []).map((file) => [file.id, file]));
  const read = given.conversations.map((one) => conversationOf(one, files));
  for (const { conversation, files: kept } of read) {
    await Promise.all(kept.map((file) => library.putFile(file)));
    await library.put(conversation);
  }
  return read.length;
}

/** {conversation, files}. No name of the file becomes a key: `__proto__` is one that objects have already. */
function conversationOf(given, givenFiles) {
  const id = newId();
  const files = [];
  const nodes = {};
  const ids = new Map(Object.values(given.nodes).map((node) => [node.id, newId()]));
  for (const node of Object.values(given.nodes)) {
    const known = (node.files ?? []).filter((file) => givenFiles.has(file.id));
    const taken = known.map((file) => fileOf(givenFiles.get(file.id), id));
    files.push(...taken);
    const made = nodeOf(node);
    made.id = ids.get(node.id);
    made.parent = node.parent === null ? null : idOf(node.parent, ids);
    made.files = taken.map(({ id, kind, name }) => ({ id, kind, name }));
    nodes[made.id] = made;
  }
  if (!isTree(nodes)) throw new TypeError("tree");
  const conversation = {
    id,
    title: textOf(given.title).slice(0, MAX_TITLE_CHARS),
    created: numberOf(given.created) ?? Date.now(),
    changed: numberOf(given.changed) ?? Date.now(),
    leaf: idOf(given.leaf, ids),
    nodes,
  };
  return { conversation, files };
}

function idOf(given, ids) {
  if (!ids.has(given)) throw new TypeError("tree");
  return ids.get(given);
}

const nodeOf = ({ role, text, thought, failure, note }) => ({
  role: role === "user" ? "user" : "assistant",
  text: textOf(text),
  thought: textOf(thought),
  failure: textOf(failure),
  note: note ? noteOf(note) : null,
});

const fileOf = ({ kind, name, data }, conversation) => ({
  id: newId(),
  conversation,
  kind: kind === "sound" ? "sound" : "picture",
  name: textOf(name),
  blob: blobOf(textOf(data)),
  reading: null,
});

/** As AnswerClock makes them. */
const noteOf = (note) => ({
  isStopped: note.isStopped === true,
  seconds: numberOf(note.seconds) ?? 0,
  first: numberOf(note.first),
  tokens: numberOf(note.tokens),
  rate: numberOf(note.rate),
  prompt: numberOf(note.prompt),
  cached: numberOf(note.cached) ?? 0,
  dropped: numberOf(note.dropped) ?? 0,
});

const textOf = (given) => (typeof given === "string" ? given : "");

const numberOf = (given) => (Number.isFinite(given) ? given : null);

/** Every way up ends at a first message. */
function isTree(nodes) {
  const good = new Set();
  for (const node of Object.values(nodes)) {
    const way = new Set();
    let at = node;
    while (at && !good.has(at) && !way.has(at)) {
      way.add(at);
      at = nodes[at.parent];
    }
    if (at && way.has(at)) return false;
    for (const one of way) good.add(one);
  }
  return true;
}
