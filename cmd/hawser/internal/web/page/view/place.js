// The place in the log that somebody reads. It stays where it is on the screen while
// rows come and go around it. (No browser's own scroll anchoring is relied on: WebKit
// has none.)

const AT_END = 40; // pixels from the end that still count as being there

export class Place {
  atEnd = true;

  #log;
  #rows;
  #mark;
  #marks = []; // { row, mark, top } of the rows in sight, from the top

  // What the log was like after it was last scrolled from here.
  #scrollTop = 0;
  #scrollHeight = 0;
  #clientHeight = 0;

  // log is what scrolls, rows the element within it whose children are the rows. mark
  // returns the part of a row that must not move.
  constructor(log, rows, mark) {
    this.#log = log;
    this.#rows = rows;
    this.#mark = mark;
  }

  // key is the data-key of the first row in sight that has one, or null.
  get key() {
    return this.#marks.find(({ row }) => row.dataset.key)?.row.dataset.key ?? null;
  }

  // above and below are the pixels that can be scrolled in each direction.
  get above() {
    return this.#log.scrollTop;
  }

  get below() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    return scrollHeight - clientHeight - scrollTop;
  }

  // look takes notice of the log having been scrolled, and reports whether somebody did
  // that. It must be called before rows change, as the event that tells of scrolling may
  // come later. complete says whether the log ends with the end of the conversation.
  look(complete) {
    if (this.#log.scrollTop === this.#scrollTop || this.#resized) {
      return false; // restore did that, or the rows have moved and not the reader
    }
    this.atEnd = complete && this.below < AT_END;
    this.#note();
    this.#measure();
    return true;
  }

  // follow goes to the end at the next restore.
  follow() {
    this.atEnd = true;
    this.#note();
  }

  // resize restores the place if sizes have changed.
  resize() {
    if (this.#resized) {
      this.restore();
    }
  }

  get #resized() {
    const { scrollHeight, clientHeight } = this.#log;
    return scrollHeight !== this.#scrollHeight || clientHeight !== this.#clientHeight;
  }

  // restore scrolls to the place after the rows or their sizes have changed.
  restore() {
    if (this.atEnd) {
      this.#log.scrollTop = this.#log.scrollHeight;
      this.#note();
      return;
    }
    // Each mark keeps the height that it had when the reader last scrolled. Measured anew
    // each time, the place would creep, as browsers round what they scroll by; and it
    // would be lost while there is not enough above to scroll to it.
    this.#marks = this.#marks.filter(({ row }) => row.isConnected);
    if (this.#marks.length === 0) {
      this.#measure();
    }
    const [anchor] = this.#marks;
    const moved = anchor ? top(anchor.mark) - anchor.top : 0;
    if (moved !== 0) {
      this.#log.scrollTop += moved;
    }
    this.#note();
  }

  #note() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    this.#scrollTop = scrollTop;
    this.#scrollHeight = scrollHeight;
    this.#clientHeight = clientHeight;
  }

  #measure() {
    this.#marks = [];
    if (this.atEnd) {
      return;
    }
    const { top: begin, bottom: end } = this.#log.getBoundingClientRect();
    const rows = this.#rows.children;
    for (let i = firstBelow(rows, begin); i < rows.length && top(rows[i]) < end; i++) {
      const mark = this.#mark(rows[i]);
      this.#marks.push({ row: rows[i], mark, top: top(mark) });
    }
  }
}

function top(element) {
  return element.getBoundingClientRect().top;
}

// firstBelow returns the place of the first row that ends below a height.
function firstBelow(rows, height) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].getBoundingClientRect().bottom <= height) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
