/* What can be taken back: every state of the document, in order. What is typed in one go is one step. */

const MOST = 500;
const TOGETHER_MS = 1200;

export class History {
  constructor(document, onChange) {
    this.present = document;
    this.past = [];
    this.future = [];
    this.onChange = onChange;
    this.last = { kind: "", at: 0 };
  }

  /** Take a new state. Changes of the same kind that follow each other closely are one step. */
  apply(document, kind = "") {
    if (document === this.present) return;
    const at = performance.now();
    const together = kind && kind === this.last.kind && at - this.last.at < TOGETHER_MS && this.past.length;
    if (!together) this.past.push(this.present);
    if (this.past.length > MOST) this.past.shift();
    this.future = [];
    this.present = document;
    this.last = { kind, at };
    this.onChange();
  }

  undo() {
    return this.#move(this.past, this.future);
  }

  redo() {
    return this.#move(this.future, this.past);
  }

  #move(from, to) {
    if (!from.length) return false;
    to.push(this.present);
    this.present = from.pop();
    this.last = { kind: "", at: 0 };
    this.onChange();
    return true;
  }
}
