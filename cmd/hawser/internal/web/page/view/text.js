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
  const date = new Date(milliseconds);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

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

// initial is the first character of a name, as people see characters.
export function initial(name) {
  const segments = new Intl.Segmenter().segment(name);
  return [...segments][0]?.segment.toUpperCase() ?? '?';
}

export function count(n, one, many) {
  return `${n} ${n === 1 ? one : many}`;
}
