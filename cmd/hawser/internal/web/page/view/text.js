// How things are written for people.

// codePoints counts as the server does: 😀 is one, whatever its length in UTF-16.
export function codePoints(text) {
  let n = 0;
  for (const _ of text) {
    n++;
  }
  return n;
}

const time = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

export function formatTime(milliseconds) {
  return time.format(milliseconds);
}

export function formatFull(milliseconds) {
  return full.format(milliseconds);
}

// formatDay names a day of the local calendar.
export function formatDay(milliseconds, now = Date.now()) {
  switch (dayKey(milliseconds)) {
    case dayKey(now):
      return 'Today';
    case dayKey(previousDay(now)):
      return 'Yesterday';
  }
  return day.format(milliseconds);
}

// dayKey is the same for two times of one day of the local calendar.
export function dayKey(milliseconds) {
  if (!(milliseconds >= lastDay.begin && milliseconds < lastDay.end)) {
    const date = new Date(milliseconds);
    const [y, m, d] = [date.getFullYear(), date.getMonth(), date.getDate()];
    lastDay = { key: `${y}-${m + 1}-${d}`, begin: +new Date(y, m, d), end: +new Date(y, m, d + 1) };
  }
  return lastDay.key;
}

let lastDay = {}; // the day asked for last, as the next time is mostly of the same

// previousDay does not subtract 24 hours: some days have 23 or 25.
function previousDay(milliseconds) {
  const date = new Date(milliseconds);
  return date.setDate(date.getDate() - 1);
}

// hue picks one of eight colours for a user, always the same.
export function hue(id) {
  let sum = 0;
  for (const character of id) {
    sum = (sum * 31 + character.codePointAt(0)) % 4099;
  }
  return sum % 8;
}

const segmenter = new Intl.Segmenter();

// initial is the first character of a name, as people see characters. It may be taller
// and wider than one would think: what shows it clips it.
export function initial(name) {
  const [first] = segmenter.segment(name);
  return first?.segment.toUpperCase() ?? '?';
}

export function count(n, one, many) {
  return `${n} ${n === 1 ? one : many}`;
}
