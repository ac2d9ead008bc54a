// What may be a room's name, and what people are called.

const ROOM = /^[A-Za-z0-9_.-]{1,64}$/;

// roomProblem says what is wrong with a room's name, or returns ''.
export function roomProblem(name) {
  if (name === '') {
    return 'Give the room a name.';
  }
  if (name.startsWith('u_')) {
    return 'A room name cannot begin with u_.';
  }
  if (!ROOM.test(name)) {
    return 'A room name has 1 to 64 letters (A–Z), digits, and _ - . without spaces.';
  }
  return '';
}

const LONGEST_NAME = 32; // code points

// nameProblem says what is wrong with somebody's name, as far as that can be said without
// the server, or returns ''.
export function nameProblem(name) {
  const length = [...name.normalize('NFC').trim().replace(/\s+/g, ' ')].length;
  if (length === 0) {
    return 'Choose a name.';
  }
  return length > LONGEST_NAME ? `A name has at most ${LONGEST_NAME} characters, and this one has ${length}.` : '';
}

// Names knows who is called what. Names need not be unique, so two people whose names
// look the same are shown with the beginning of their id.
export class Names {
  changes = 0; // how often anything changed

  #names = new Map(); // user_id → { name, look }
  #since = new Map(); // user_id → server_ts at which that was the name
  #latest = 0; // of these
  #ids = new Map(); // name as it looks → Set of user_id

  // set notes somebody's name. at is the server_ts of the message that carried it, which
  // may be an old one with an old name; without it, the name is the present one.
  set(id, name, at = this.#latest) {
    if (!id || !name || at < this.#since.get(id)) {
      return;
    }
    this.#since.set(id, at);
    this.#latest = Math.max(this.#latest, at);
    const before = this.#names.get(id);
    if (before?.name === name) {
      return;
    }
    const now = { name, look: look(name) };
    this.#ids.get(before?.look)?.delete(id);
    this.#names.set(id, now);
    if (!this.#ids.has(now.look)) {
      this.#ids.set(now.look, new Set());
    }
    this.#ids.get(now.look).add(id);
    this.changes++;
  }

  // get returns the bare name, if it is known.
  get(id) {
    return this.#names.get(id)?.name;
  }

  // parts returns what to show: the name, which may hold anything, and what tells its
  // owner from others, or ''. Somebody without a name that can be seen goes by the id.
  parts(id) {
    const known = this.#names.get(id);
    if (!known?.look) {
      return { name: id, tag: '' };
    }
    const alone = this.#ids.get(known.look).size === 1;
    return { name: known.name, tag: alone ? '' : `(${id.slice(2, 6)})` };
  }

  // of returns the same as text, which can stand within other text.
  of(id) {
    const { name, tag } = this.parts(id);
    return tag ? `${isolate(name)} ${tag}` : isolate(name);
  }
}

// look returns what people see of a name: no difference between letters that look the
// same in one script, and nothing that is not there to be seen.
function look(name) {
  return name.normalize('NFKC').replace(INVISIBLE, '').toLowerCase();
}

// isBlank says whether nothing of a text can be seen.
export function isBlank(text) {
  return text.replace(INVISIBLE, '') === '';
}

// U+2800 is a Braille pattern without dots.
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{White_Space}\p{Cc}\p{Cf}\p{Cs}\u2800]/gu;

// isolate returns text that is written from right to left, or changes the direction, so
// that it leaves what stands around it alone. An element does that for its own text;
// this is for where there is none, as in a window's title or a label.
export function isolate(text) {
  if (!RIGHT_TO_LEFT.test(text)) {
    return text;
  }
  const inner = [];
  let open = 0; // isolates begun within the text
  for (const character of text.replace(/[\n\r\x1c-\x1e\x85\u2029]/g, ' ')) {
    if (character === PDI && open === 0) {
      continue; // it would end ours
    }
    open += ISOLATES.test(character) ? 1 : character === PDI ? -1 : 0;
    inner.push(character);
  }
  return FSI + inner.join('') + PDI.repeat(open + 1);
}

const FSI = '\u2068';
const PDI = '\u2069';
const ISOLATES = /[\u2066-\u2068]/;

// The ranges that Unicode keeps for scripts of that direction, assigned or not, and the
// characters that set a direction.
const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
